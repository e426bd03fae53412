import type { Command } from 'commander';
import type { DocumentType } from '../../../documents/document-type';
import type { Finding } from '../../../inspection/doctor/finding';
import { EXIT } from '../exit-codes';
import { UsageError } from '../fail';
import { AUTH_HELP } from '../who-asks';
import { paintedFor, print, printJson, printPainted, say } from '../output';
import type { Style } from '../terminal/paint';
import { harmless } from '../terminal/text';
import { forThisCall } from '../run-view/commands';
import { terminalWidth, wrapToWidth } from '../terminal/table';

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .summary('say what is not as a run needs it')
    .description(
      'Looks at everything that a run needs: the configuration; Temporal with its namespace, search attributes and workers; Postgres with its schema, rights and the configured queries; every document relay; every stored signer and the secrets key; the clock of this host against those of Postgres and all relays. Each line says ok, warn or FAIL, with what to do. Changes nothing, and signs nothing unless --auth lets the signer tell a relay who asks (NIP-42).\nExit code 1 when a line says FAIL.',
    )
    .option('--operator <id>', 'only the signer of this operator')
    .option('--auth', `with --operator: ${AUTH_HELP}`)
    .option('--json', 'as JSON on stdout: a list of findings')
    .addHelpText('before', 'Example: republish doctor\n')
    .action(doctor);
}

async function doctor(options: { operator?: string; auth?: true; json?: true }): Promise<void> {
  if (options.auth && options.operator === undefined)
    throw new UsageError(
      '--auth needs --operator',
      'Name the operator whose signer may be asked: --operator <id>.',
    );
  const { readConfiguration } = await import('../../../configuration/load.js');
  const { examine } = await import('../../../inspection/doctor/examine.js');
  const { configuration, problems } = readConfiguration({
    needs: ['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey'],
  });
  const { documentTypes, problems: problemsOfTypes } = await typesOf(configuration.documentTypes);
  const checks = examine({
    configuration,
    problems: [...problems, ...problemsOfTypes],
    documentTypes,
    temporal: await temporalConfiguration(),
    ...(options.operator === undefined ? {} : { operatorUserId: options.operator }),
    ...(options.auth ? { auth: true } : {}),
    say,
  });
  const findings: Finding[] = [];
  // All of them work already; they are told in their order, each as soon as it is there.
  for (const check of checks) {
    const found = await check;
    findings.push(...found);
    if (!options.json) found.forEach(show);
  }
  if (options.json) printJson(findings);
  const count = (status: Finding['status']): number =>
    findings.filter((finding) => finding.status === status).length;
  if (!options.json) print(`\n${count('ok')} ok, ${count('warn')} warn, ${count('fail')} FAIL`);
  if (count('fail') > 0) process.exitCode = EXIT.failed;
}

/** Undefined where it is a data folder's own, which runs only as long as something needs it. */
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

const INDENT = ' '.repeat(6);

const MARKS: Record<Finding['status'], [mark: string, style: Style]> = {
  ok: ['ok', 'green'],
  warn: ['warn', 'yellow'],
  fail: ['FAIL', 'red'],
};

function show({ area, subject, status, message, remedy }: Finding): void {
  const about = subject === '' ? area : `${area} ${subject}`;
  const lines = (text: string): string =>
    wrapToWidth(text, terminalWidth() - INDENT.length).join(`\n${INDENT}`);
  const [mark, style] = MARKS[status];
  const painted = paintedFor(process.stdout, style, mark) + ' '.repeat(INDENT.length - mark.length);
  printPainted(`${painted}${harmless(lines(`${about}: ${message}`))}`);
  if (remedy !== undefined) print(`${INDENT}${lines(forThisCall(`-> ${remedy}`))}`);
}

/** Modules that do not load are told, and the types of this release looked at all the same. */
async function typesOf(
  modules: readonly string[],
): Promise<{ documentTypes: readonly DocumentType[]; problems: string[] }> {
  const { loadDocumentTypes, DocumentTypesError } = await import('../../../documents/load.js');
  try {
    return { documentTypes: await loadDocumentTypes(modules), problems: [] };
  } catch (thrown) {
    if (!(thrown instanceof DocumentTypesError)) throw thrown;
    return { documentTypes: await loadDocumentTypes([]), problems: thrown.problems };
  }
}
