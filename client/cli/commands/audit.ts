import { type Command, Option } from 'commander';
import { remedyFor } from '../../../contract/failures';
import { isGood as hasGoodOutcome } from '../../../contract/progress';
import { compareIds, machineOf } from '../../../rules/machine-name';
import type { RelayStanding } from '../../../contract/relay-standing';
import { didYouMean } from '../../../rules/suggest';
import { NO_STATE } from '../../../rules/plan';
import type { AuditReport, ToldAudit, ToldDocument } from '../../../inspection/audit';
import { byMachine } from '../by-machine';
import { csv } from '../csv';
import { fittedTo, print, printJson, say } from '../output';
import { commandLine, completeCommands } from '../command-lines';
import { paragraph, sectionedTable, short, wholeTable } from '../terminal/table';
import { onOneLine } from '../terminal/text';
import { showNewestLast } from './newest-last';

/** A person reads at most so many rows. Rows with trouble are always shown. */
const MAX_ROWS = 100;
/** A nevent takes two lines of a terminal. */
const MAX_NEVENTS = 20;

export function registerAudit(program: Command): void {
  program
    .command('audit')
    .summary('show what was published and what was not')
    .description(
      'Shows the audit of a run, or of the newest run of an operator: what became of each document, on ' +
        'which relays, who intervened and why, and what failed with its remedy. ' +
        'Earlier runs of the operator have a line each.\n' +
        'With --check it tells whether audit rows were changed or removed after they were written: those of an operator or a run, or all rows without an argument.',
    )
    .argument('[operator-or-run]', "an operator's user id, or a run id; may be left out with --check")
    .option('--limit <n>', 'at most so many runs of an operator', '10')
    .option('--full', 'every run in full, the newest last, and each event as an nevent')
    .option('--json', 'as JSON on stdout: a list of audits, newest first')
    .addOption(new Option('--csv', 'as CSV on stdout (RFC 4180), a line for each document').conflicts('json'))
    .addOption(
      new Option(
        '--check',
        'check the chain of audit rows, and name the first row that does not match',
      ).conflicts('csv'),
    )
    .addOption(
      new Option(
        '--head <hash>',
        'with --check: look for an audit head that you kept elsewhere in the chain',
      ).implies({ check: true }),
    )
    .addHelpText('before', 'Example: republish audit 8f3c2b\n')
    .action(audit);
}

interface AuditOptions {
  limit: string;
  full?: true;
  json?: true;
  csv?: true;
  check?: true;
  head?: string;
}

async function audit(subject: string | undefined, options: AuditOptions): Promise<void> {
  if (options.check) return (await import('./audit-check.js')).auditCheck(subject, options);
  const { withReadOnlyDatabase } = await import('../database.js');
  const { auditReport } = await import('../../../inspection/audit.js');
  const { UsageError } = await import('../fail.js');
  if (subject === undefined)
    throw new UsageError(
      'name an operator or a run. Only --check works without one, and checks all rows then',
    );
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw new UsageError('--limit must be a whole number from 1');

  const report = await withReadOnlyDatabase((database) => auditReport(database, subject, limit));
  if (report.audits.length + report.open.length === 0) throw new AuditNotFound(subject, report.known);
  if (options.json) return printJson(report.audits);
  if (options.csv) {
    sayOpen(report, subject, say);
    // Not through print(): the line ends are part of the format.
    return void process.stdout.write(csv([CSV_HEADER, ...report.audits.flatMap(csvRows)]));
  }
  showNewestLast(report.audits, {
    full: options.full,
    showInFull: (row) => showAudit(row, options),
    heads: ['good', 'earlier run'],
    good: goodOf,
  });
  if (report.audits.length > 0 && !options.full)
    print(paragraph(`in full, with each event as an nevent: ${commandLine('audit', subject)} --full`));
  if (report.open.length > 0) print('');
  sayOpen(report, subject, (text) => print(fittedTo(process.stdout, text)));
}

function goodOf({ documents }: ToldAudit): string {
  // What a person gave up was to stand, other than a document without state.
  const planned = documents.filter(
    ({ outcome, failure }) => outcome !== 'skipped' || failure?.type === 'GivenUp',
  );
  const good = planned.filter((document) => hasGoodOutcome(document.outcome));
  return `${good.length} of ${planned.length}`;
}

/** The id names no run, and no operator with a run. */
export class AuditNotFound extends Error {
  readonly type = 'AuditNotFound';

  constructor(subject: string, known: readonly string[] = []) {
    super(`the ledger has no run of ${subject}, nor one with that id${didYouMean(subject, known)}`);
  }
}

function sayOpen({ open }: AuditReport, subject: string, tell: (text: string) => void): void {
  for (const { runId, startedAt } of open)
    tell(
      `run ${runId}\nno audit, started ${startedAt}: it is running or was terminated; see: ${commandLine('status', subject)}\nThe audit of a terminated run is written by: ${commandLine('end', subject)}\n`,
    );
}

export function showAudit(row: ToldAudit, { full = false }: { full?: boolean } = {}): void {
  print(`run ${row.runId}\n${row.outcome}, ${row.writtenAt}, operator ${row.operatorUserId}`);
  print(`row ${row.position}, head ${row.hash}`);
  if (row.operatorNpub) print(row.operatorNpub);
  if (row.reason) print(paragraph(`reason: ${row.reason}`));
  if (row.failure) print(paragraph(`failure: ${row.failure.type}: ${row.failure.message}`));
  if (!row.swept && row.documents.some(({ outcome }) => outcome === 'published' || outcome === 'unchanged'))
    print(
      paragraph(
        'It was not looked at once more at its end: what stood when it was published may be gone since.',
      ),
    );
  const named = new Map(row.documents.map((document) => [document.machineId, machineOf(document)]));
  for (const { action, at, by, reason, documentType, machineId } of row.interventions) {
    const of = [
      documentType ?? [],
      machineId === undefined ? [] : `of machine ${named.get(machineId) ?? machineId}`,
    ]
      .flat()
      .join(' ');
    const why = reason ? `: ${reason}` : '';
    print(paragraph(`${at} ${action}${of === '' ? '' : ` (${of})`} by ${by ?? 'somebody'}${why}`));
  }
  const counts = Object.entries(row.counts).map(([type, count]) =>
    [type, count.published, count.unchanged, count.superseded, count.skipped, count.failed].map(String),
  );
  if (counts.length > 0)
    print(
      `\n${wholeTable(['document type', 'published', 'unchanged', 'superseded', 'skipped', 'failed'], counts)}`,
    );
  if (row.documents.length > 0) showDocuments(row.documents);
  else if (row.failure === null) print(paragraph(noMachinesThen(row)));
  const types = [
    ...new Set([...(row.failure ? [row.failure] : []), ...row.failures].map(({ type }) => type)),
  ];
  if (types.length > 0) print('');
  for (const type of types)
    print(paragraph(completeCommands(`remedy for ${type}: ${remedyFor(type)}`, row.operatorUserId)));
  if (full) showEvents(row.documents);
  print('');
}

/** A run without machines is complete. Most likely it looked in the wrong place, which no row of it names. */
function noMachinesThen({ operatorUserId }: ToldAudit): string {
  return `warning: no documents: the operator had no machines where the run looked. Are the operator, LNBITS_DATABASE_URL and "preset" right? Where a run would look now: ${commandLine('plan', operatorUserId)}`;
}

function showDocuments(documents: ToldDocument[]): void {
  const shown = documents.filter((document, index) => !isGood(document) || index < MAX_ROWS);
  const sections = byMachine(shown, (document) => [
    document.documentType,
    document.outcome ?? '',
    document.eventId === null ? '' : short(document.eventId),
    [...notes(document), ...relaysOf(document)].join('; '),
  ]);
  print(`\n${sectionedTable(['document type', 'outcome', 'event', 'relays'], sections)}`);
  if (shown.length < documents.length)
    print(`and ${documents.length - shown.length} more that went well; all with --json or --csv`);
}

function isGood({ outcome, relays }: ToldDocument): boolean {
  const complete = Object.values(relays).every(({ state }) => state === 'holds');
  return complete && (outcome === 'published' || outcome === 'unchanged');
}

function notes(document: ToldDocument): string[] {
  const { outcome, supersededBy, failure, skippedBecause } = document;
  if (failure !== null && outcome === 'failed') return [`${failure.type}: ${failure.message}`];
  if (outcome === 'skipped') return [skippedBecause ?? NO_STATE];
  return supersededBy === null ? [] : [`the newer ${short(supersededBy)} stands`];
}

function relaysOf({ relays }: ToldDocument): string[] {
  const all = Object.entries(relays);
  if (all.length === 0) return [];
  const holding = all.filter(([, { state }]) => state === 'holds').length;
  const others = all.filter(([, { state }]) => state !== 'holds');
  return [
    `on ${holding} of ${all.length}`,
    ...others.map(([relay, standing]) => `${relay}: ${told(standing)}`),
  ];
}

function told({ state, detail }: RelayStanding): string {
  // The detail of a newer event is its id.
  return detail ? `${state} (${state === 'newer' ? short(detail) : detail})` : state;
}

/** A failed document may have an event that does not stand. */
function withNevent(documents: ToldDocument[]): ToldDocument[] {
  return documents.filter(({ nevent, outcome }) => nevent !== null && outcome !== 'failed');
}

function showEvents(documents: ToldDocument[]): void {
  const events = withNevent(documents);
  if (events.length === 0) return;
  if (events.length > MAX_NEVENTS) return print('\nevent ids and nevents in full: --json or --csv');
  print('');
  for (const { nevent, ...document } of events.toSorted((a, b) => compareIds(a.machineId, b.machineId)))
    print(`${document.documentType}, ${onOneLine(machineOf(document))}:\n${nevent}`);
}

const CSV_HEADER = [
  'run_id',
  'written_at',
  'run_outcome',
  'operator_user_id',
  'operator_npub',
  'reason',
  'document_type',
  'machine_id',
  'machine_name',
  'outcome',
  'event_id',
  'nevent',
  'superseded_by',
  'failure_type',
  'failure_message',
  'relays_holding',
  'relays',
];

/**
 * A line for each document. A run that ended before its documents has one line, with its failure.
 */
function csvRows(audit: ToldAudit): string[][] {
  const run = [
    audit.runId,
    audit.writtenAt,
    audit.outcome,
    audit.operatorUserId,
    audit.operatorNpub ?? '',
    audit.reason ?? '',
  ];
  if (audit.documents.length === 0) {
    const { type, message } = audit.failure ?? { type: '', message: '' };
    return [[...run, '', '', '', '', '', '', '', type, message, '', '']];
  }
  return audit.documents.map((document) => {
    const relays = Object.entries(document.relays);
    return [
      ...run,
      document.documentType,
      document.machineId,
      document.machineName,
      document.outcome ?? '',
      document.eventId ?? '',
      document.nevent ?? '',
      document.supersededBy ?? '',
      document.failure?.type ?? '',
      document.failure?.message ?? '',
      String(relays.filter(([, { state }]) => state === 'holds').length),
      relays
        .map(([relay, { state, detail }]) => `${relay} ${state}${detail ? ` (${detail})` : ''}`)
        .join('; '),
    ];
  });
}
