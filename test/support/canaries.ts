import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import type { Saga } from './saga';

/** Where a run leaves text behind, and the text. */
export type Places = Record<'history' | 'tables' | 'logs', string>;

/** All text that a run left anywhere, decoded. */
export async function placesOf(
  saga: Saga,
  { workflowId, runId, operatorUserId }: { workflowId: string; runId: string; operatorUserId: string },
): Promise<Places> {
  const tables = await saga.database.query<{ row: string }>(
    `SELECT row_to_json(t)::text AS row FROM republish.documents t WHERE run_id = $1
       UNION ALL SELECT row_to_json(t)::text FROM republish.audit_log t WHERE run_id = $1
       UNION ALL SELECT row_to_json(t)::text FROM republish.runs t WHERE run_id = $1
       UNION ALL SELECT row_to_json(t)::text FROM republish.pages t WHERE run_id = $1
       UNION ALL SELECT row_to_json(t)::text FROM republish.signer_proofs t WHERE run_id = $1
       UNION ALL SELECT row_to_json(t)::text FROM republish.signers t WHERE operator_user_id = $2
       UNION ALL SELECT row_to_json(t)::text FROM republish.pairings t WHERE operator_user_id = $2`,
    [runId, operatorUserId],
  );
  return {
    history: await decodedHistory(saga, workflowId, runId),
    tables: tables.map(({ row }) => row).join('\n'),
    logs: saga.logs.join('\n'),
  };
}

/** The canaries that got out, as `<place>: <canary>`. */
export function escaped(places: Places, canaries: string[]): string[] {
  return Object.entries(places).flatMap(([place, text]) =>
    canaries
      .filter((canary) => canary !== '' && text.includes(canary))
      .map((canary) => `${place}: ${canary}`),
  );
}

/** History as text, with every payload decoded. */
async function decodedHistory(saga: Saga, workflowId: string, runId: string): Promise<string> {
  const history = await saga.client.workflow.getHandle(workflowId, runId).fetchHistory();
  const json = JSON.stringify(historyToJSON(history));
  return json.replaceAll(/"data":"([A-Za-z0-9+/=]*)"/g, (_, data: string) =>
    JSON.stringify(Buffer.from(data, 'base64').toString('utf8')),
  );
}
