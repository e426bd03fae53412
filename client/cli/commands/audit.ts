import type { Command } from 'commander';
import type { WrittenAuditRow } from '../../../database/audit';
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
  const { auditOfRun, auditsOfOperator } = await import('../../../database/audit.js');
  const { UsageError } = await import('../fail.js');
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number from 1');

  const rows = await withDatabase(async (database) => {
    const run = await auditOfRun(database, subject);
    return run ? [run] : auditsOfOperator(database, subject, limit);
  });
  if (options.json) return printJson(rows);
  if (rows.length === 0)
    return print(`no audit for ${subject}: neither a run nor an operator with an ended run`);
  const { nevent, npub } = await import('../../../nostr/keys.js');
  for (const row of rows) showRow(row, npub, nevent);
}

function showRow(
  row: WrittenAuditRow,
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
  const events = Object.entries(row.events).flatMap(([type, ids]) =>
    ids.map((id) => [type, id, operatorPubkey ? nevent(id, operatorPubkey) : '']),
  );
  if (events.length > 0) print(`\n${table(['document type', 'event id', 'nevent'], events)}`);
  for (const { documentType, machineId, type, message } of row.failures) {
    print(`failed: ${documentType} of machine ${machineId}: ${type}: ${message}`);
  }
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
