import { type Command, Option } from 'commander';
import { ROLES, type Role } from '../../../database/rights-list';
import type { Finding } from '../../../inspection/doctor/finding';
import type { NoDataFolder } from '../../../embedded/data-folder/folder';
import type { SeenRun } from '../../../inspection/doctor/run';
import { missingDataFolder } from '../data-folder';
import { EXIT } from '../exit-codes';
import { orDataFolder, UsageError } from '../fail';
import { AUTH_HELP } from '../relay-auth';
import { paintedFor, print, printJson, printPainted, say } from '../output';
import type { Style } from '../terminal/paint';
import { harmless } from '../terminal/text';
import { forThisCall } from '../command-lines';
import { paragraph, terminalWidth, wrapToWidth } from '../terminal/table';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('say what is not as a run needs it')
    .description(
      'Looks at everything that a run needs: the configuration; Temporal with its namespace, search ' +
        'attributes and workers; Postgres with its schema, rights and the configured queries; every ' +
        'document relay; every stored signer and the secrets key; the clock of this host against those of ' +
        'Postgres and all relays; with --operator also how the newest run stands. Each line says ok, warn ' +
        'or FAIL, with what to do, or ? if it cannot be known. Changes nothing, and signs nothing unless ' +
        '--auth lets the signer tell a relay who asks (NIP-42).\n' +
        'Exit code 1 when a line says FAIL.',
    )
    .option('--operator <id>', 'only the signer of this operator, and how the newest run stands')
    .addOption(
      new Option('--as <role>', 'whose rights on the ledger are looked for, as in database/rights.sql')
        .choices(ROLES)
        .default('worker'),
    )
    .option('--auth', `with --operator: ${AUTH_HELP}`)
    .option('--json', 'as JSON on stdout: a list of findings')
    .addHelpText('before', 'Example: republish doctor\n')
    .action(doctor);
}

interface DoctorOptions {
  operator?: string;
  as: Role;
  auth?: true;
  json?: true;
}

async function doctor(options: DoctorOptions): Promise<void> {
  if (options.auth && options.operator === undefined)
    throw new UsageError(
      '--auth needs --operator',
      'Name the operator whose signer may be asked: --operator <id>.',
    );
  const { besideDataFolder, readConfiguration, WORKER_NEEDS } =
    await import('../../../configuration/load.js');
  const { examine } = await import('../../../inspection/doctor/examine.js');
  const noFolder = missingDataFolder();
  const all = options.as === 'migrator' ? (['databaseUrl'] as const) : WORKER_NEEDS;
  const needs = noFolder === undefined ? all : besideDataFolder(all);
  const { configuration: configured, problems } = readConfiguration({ needs });
  const configuration = noFolder === undefined ? configured : { ...configured, databaseUrl: undefined };
  const { readParts } = await import('../../../assembly/parts.js');
  const { parts, problems: problemsOfParts } = await readParts(configuration);
  const { operator } = options;
  const temporal = noFolder === undefined ? await temporalConfiguration() : undefined;
  const findings: Finding[] = noFolder === undefined ? [] : [noFolderFinding(noFolder)];
  if (!options.json) showAll(findings);
  const checks = examine({
    configuration,
    problems: [...problems, ...problemsOfParts, ...(await problemsOfConverter(configuration.dataConverter))],
    parts,
    temporal,
    role: options.as,
    ...(operator === undefined
      ? {}
      : { operatorUserId: operator, lookAtRun: () => newestRun(operator, temporal) }),
    ...(options.auth ? { auth: true } : {}),
    say,
  });
  // All checks are running already. Their results are shown in this order, each when it is there.
  try {
    for (const check of checks) {
      const found = await check;
      findings.push(...found);
      if (!options.json) showAll(found);
    }
    if (options.json) printJson(findings);
  } finally {
    await parts.close();
  }
  const count = (status: Finding['status']): number =>
    findings.filter((finding) => finding.status === status).length;
  if (!options.json) {
    // The lines of the failed checks may have scrolled away.
    const failed = countedNames(findings.filter(({ status }) => status === 'fail').map(aboutOf));
    const which = failed.length === 0 ? '' : `: ${failed.join('; ')}`;
    const unknown = count('unknown') === 0 ? '' : `, ${count('unknown')} unknown`;
    print(paragraph(`\n${count('ok')} ok, ${count('warn')} warn${unknown}, ${count('fail')} FAIL${which}`));
  }
  if (count('fail') > 0) process.exitCode = EXIT.failed;
}

function noFolderFinding({ message, remedy, type }: NoDataFolder): Finding {
  return { area: 'data folder', subject: '', status: 'fail', message, type, ...(remedy ? { remedy } : {}) };
}

/** Each name once, with its number if it is there more than once. */
function countedNames(names: readonly string[]): string[] {
  return [...new Set(names)].map((name) => {
    const number = names.filter((other) => other === name).length;
    return number === 1 ? name : `${name} (${number})`;
  });
}

/** Undefined with a data folder: its Temporal runs only while a command needs it. */
async function temporalConfiguration() {
  const { embeddedServers } = await import('../../../configuration/embedded.js');
  const embedded = embeddedServers();
  if (embedded !== undefined && embedded.temporalAddress === undefined) return undefined;
  const { loadTemporalConfiguration } = await import('../../../configuration/temporal.js');
  const { ensureError } = await import('../../../contract/failures.js');
  try {
    return loadTemporalConfiguration();
  } catch (thrown) {
    return ensureError(thrown);
  }
}

async function newestRun(
  operator: string,
  temporal: Awaited<ReturnType<typeof temporalConfiguration>>,
): Promise<SeenRun | undefined> {
  if (temporal === undefined || temporal instanceof Error) return undefined;
  const { connect, findRepublish, RunNotFound } = await import('../../index.js');
  const { failureOf } = await import('./status.js');
  const { client, close } = await connect({ temporal });
  try {
    const run = await findRepublish(client, operator);
    const status = await run.status();
    return { ...status, failure: status.closedAt === null ? null : await failureOf(run) };
  } catch (error) {
    if (error instanceof RunNotFound) return undefined;
    throw error;
  } finally {
    await close();
  }
}

const INDENT = ' '.repeat(6);

const MARKS: Record<Finding['status'], [mark: string, style: Style]> = {
  ok: ['ok', 'green'],
  warn: ['warn', 'yellow'],
  unknown: ['?', 'dim'],
  fail: ['FAIL', 'red'],
};

function aboutOf({ area, subject }: Finding): string {
  return subject === '' ? area : `${area} ${subject}`;
}

/** Lines with the same remedy have it once, below the last of them. */
function showAll(findings: readonly Finding[]): void {
  findings.forEach((finding, index) => {
    const next = findings[index + 1];
    const { remedy, ...withoutRemedy } = finding;
    show(next?.status === finding.status && next.remedy === remedy ? withoutRemedy : finding);
  });
}

function show(finding: Finding): void {
  const { status, message, type } = finding;
  const remedy = finding.remedy === undefined ? undefined : orDataFolder(finding.remedy, type);
  const about = aboutOf(finding);
  const lines = (text: string): string =>
    wrapToWidth(text, terminalWidth() - INDENT.length).join(`\n${INDENT}`);
  const [mark, style] = MARKS[status];
  const painted = paintedFor(process.stdout, style, mark) + ' '.repeat(INDENT.length - mark.length);
  printPainted(`${painted}${harmless(lines(`${about}: ${message}`))}`);
  if (remedy !== undefined) print(`${INDENT}${lines(forThisCall(`-> ${remedy}`))}`);
}

/** Without the data converter, nothing can be encoded for Temporal. */
async function problemsOfConverter(module: string | undefined): Promise<string[]> {
  if (module === undefined) return [];
  const { loadDataConverter } = await import('../../../configuration/data-converter.js');
  const { ConfigurationError } = await import('../../../configuration/load.js');
  try {
    await loadDataConverter(module);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    return thrown.problems;
  }
}
