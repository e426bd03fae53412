import type { Command } from 'commander';
import { remedyFor } from '../../../contract/failures';
import type { WrittenAuditRow } from '../../../database/audit';
import type { DocumentRow } from '../../../database/ledger/documents';
import { print, printJson, table } from '../output';

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .summary('show what was published and what was not')
    .description(
      'Shows the audit of a run, or the newest audits of an operator: event ids, failures, relays that lag.',
    )
    .argument('<operator-or-run>', "an operator's user id, or a run id")
    .option('--limit <n>', 'at most so many runs of an operator', '10')
    .option('--json', 'as JSON on stdout: a list of audit rows, newest first')
    .addHelpText('before', 'Example: republish audit 8f3c2b\n')
    .action(audit);
}

async function audit(subject: string, options: { limit: string; json?: true }): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { auditOfRun, auditsOfOperator, unauditedRuns } = await import('../../../database/audit.js');
  const { UsageError } = await import('../fail.js');
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number from 1');

  const { documentsOfRun } = await import('../../../database/ledger/documents.js');
  const { audits, open } = await withDatabase(async (database) => {
    const run = await auditOfRun(database, subject);
    const rows = run ? [run] : await auditsOfOperator(database, subject, limit);
    const audits = [];
    for (const row of rows)
      audits.push({ ...row, documents: (await documentsOfRun(database, row.runId)).map(told) });
    return { audits, open: run ? [] : await unauditedRuns(database, subject) };
  });
  if (options.json) return printJson(audits);
  for (const { runId, startedAt } of open) {
    print(
      `run ${runId}\nno audit, started ${startedAt}: it goes on or was terminated; see: republish status ${subject}\n`,
    );
  }
  if (audits.length === 0 && open.length === 0) {
    return print(`no audit for ${subject}: neither a run nor an operator that had one`);
  }
  const { nevent, npub } = await import('../../../nostr/keys.js');
  for (const row of audits) showRow(row, npub, nevent);
}

/** A document of the ledger as it is told: no ciphertext, no signature. */
function told({ documentType, machineId, machineName, outcome, event, relays }: DocumentRow) {
  return { documentType, machineId, machineName, outcome, eventId: event?.id ?? null, relays };
}

type ToldAudit = WrittenAuditRow & { documents: ReturnType<typeof told>[] };

function showRow(
  row: ToldAudit,
  npub: (key: string) => string,
  nevent: (id: string, author: string) => string,
): void {
  const { operatorPubkey } = row;
  print(
    `run ${row.runId}\n${row.outcome}, ${row.writtenAt}, operator ${row.operatorUserId}${operatorPubkey ? ` (${npub(operatorPubkey)})` : ''}`,
  );
  if (row.reason) print(`reason: ${row.reason}`);
  if (row.failure) print(`failure: ${row.failure.type}: ${row.failure.message}`);
  const counts = Object.entries(row.counts).map(([type, count]) =>
    [type, count.published, count.unchanged, count.superseded, count.skipped, count.failed].map(String),
  );
  print(`\n${table(['document type', 'published', 'unchanged', 'superseded', 'skipped', 'failed'], counts)}`);
  const documents = row.documents.map(({ documentType, machineName, machineId, outcome, eventId }) => [
    documentType,
    machineName,
    machineId,
    outcome ?? '',
    eventId ?? '',
    eventId && operatorPubkey ? nevent(eventId, operatorPubkey) : '',
  ]);
  const header = ['document type', 'machine', 'machine id', 'outcome', 'event id', 'nevent'];
  if (documents.length > 0) print(`\n${table(header, documents)}`);
  for (const { documentType, machineId, type, message } of row.failures) {
    print(`failed: ${documentType} of machine ${machineId}: ${type}: ${message}`);
  }
  for (const type of new Set(row.failures.map((failure) => failure.type)))
    print(`remedy for ${type}: ${remedyFor(type)}`);
  for (const { documentType, machineId, supersededBy } of row.superseded) {
    print(`superseded: ${documentType} of machine ${machineId} by the newer event ${supersededBy}`);
  }
  for (const { documentType, machineId, relay, state, detail } of row.laggards) {
    print(
      `lagging: ${relay} lacks ${documentType} of machine ${machineId}: ${state}${detail ? ` (${detail})` : ''}`,
    );
  }
  print('');
}
