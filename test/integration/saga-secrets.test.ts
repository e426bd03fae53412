import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { type Saga, startSaga } from '../support/saga';

/**
 * Canaries stand where secrets and state stand: in the bunker URI, the keys, the database URL, the state. Whatever a run
 * leaves behind is decoded and searched for them.
 */
describe('a run leaves no secret and no state behind', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  /** History as text, with every payload decoded. */
  async function decodedHistory(workflowId: string, runId: string): Promise<string> {
    const history = await saga.client.workflow.getHandle(workflowId, runId).fetchHistory();
    const json = JSON.stringify(historyToJSON(history));
    return json.replaceAll(/"data":"([A-Za-z0-9+/=]*)"/g, (_, data: string) =>
      JSON.stringify(Buffer.from(data, 'base64').toString('utf8')),
    );
  }

  test('not in history, ledger, audit or logs, when all goes well and when it does not', async () => {
    const secretKey = saga.env.REPUBLISH_SECRETS_KEY ?? '';
    const password = new URL(saga.databaseUrl).password;
    const secret = 'canary-pairing-secret-0451';
    const { id, machines, bunker } = await saga.addOperator({ machines: 3, bunker: { secret } });
    await saga.database.query("UPDATE bitspire_cassettes SET currency = 'CANARYCUR'");
    // One document fails in a way that repeats the state; one is invalid by a value that would be telling.
    await saga.database.query('UPDATE bitspire_fees SET fixed_fee = 31337.25 WHERE machine_id = $1', [
      machines[0]?.id,
    ]);
    await saga.database.query('UPDATE bitspire_fees SET cash_in_percent = 918.273 WHERE machine_id = $1', [
      machines[1]?.id,
    ]);
    bunker.setFaults(({ method, params }) =>
      method === 'nip44_encrypt' && String(params[1]).includes('31337')
        ? { error: `cannot encrypt ${String(params[1])}` }
        : undefined,
    );

    const run = await saga.start(id, { reason: 'canaries' });
    await expect(run.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 2 });

    const tables = await saga.database.query<{ row: string }>(
      `SELECT row_to_json(t)::text AS row FROM republish.documents t WHERE run_id = $1
         UNION ALL SELECT row_to_json(t)::text FROM republish.audit_log t WHERE run_id = $1
         UNION ALL SELECT row_to_json(t)::text FROM republish.signers t WHERE operator_user_id = $2
         UNION ALL SELECT row_to_json(t)::text FROM republish.pairings t WHERE operator_user_id = $2`,
      [run.runId, id],
    );
    const places = {
      history: await decodedHistory(run.workflowId, run.runId),
      tables: tables.map(({ row }) => row).join('\n'),
      logs: saga.logs.join('\n'),
    };
    expect(places.history).toContain('republishDocument');
    expect(places.tables).toContain('ncryptsec1');
    expect(places.logs).toContain('SignerRefused');
    const canaries = [
      secretKey,
      password,
      secret,
      'CANARYCUR',
      '31337',
      '918.273',
      'cassettes\\":',
      saga.databaseUrl,
    ];
    for (const [place, text] of Object.entries(places)) {
      for (const canary of canaries) {
        expect({ place, found: text.includes(canary) ? canary : undefined }).toEqual({
          place,
          found: undefined,
        });
      }
    }
  });

  test('costs few events and few bytes for each document', async () => {
    const cost = async (machines: number) => {
      const { id } = await saga.addOperator({ machines });
      const run = await saga.start(id);
      await run.result();
      return saga.client.workflow.getHandle(run.workflowId, run.runId).describe();
    };
    const [few, many] = [await cost(1), await cost(21)];
    const perDocument = (a = 0, b = 0): number => (b - a) / 40;
    expect(perDocument(few.historyLength, many.historyLength)).toBeLessThan(5);
    expect(perDocument(few.historySize, many.historySize)).toBeLessThan(1_100);
  });
});
