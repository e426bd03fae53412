import type { Command } from 'commander';
import { remedyFor } from '../../../contract/failures';
import { compareIds, documentOf, machineOf } from '../../../rules/machine-name';
import type { RepublishPlan } from '../../../inspection/plan';
import type { Estimate } from '../../../inspection/estimate';
import type { ForeseenDocument } from '../../../inspection/plan-document';
import { hasObstacles, isReady } from '../../../inspection/ready';
import type { RelayFacts } from '../../../inspection/relay-probe';
import { LEAST_SIGNATURES } from '../../../rules/signer-speed';
import { byMachine } from '../by-machine';
import { EXIT } from '../exit-codes';
import { forceOptions, resetCountsOption } from '../options';
import { cellStyles, paintedFor, print, printJson, printPainted, say } from '../output';
import type { Style } from '../terminal/paint';
import { AUTH_HELP, sayRelaysWantAuth } from '../relay-auth';
import { commandLine, completeCommands } from '../command-lines';
import { noMachines } from '../run-view/outcome';
import { expectedDuration } from '../run-view/rate';
import { fittedTable, paragraph, sectionedTable, short, terminalWidth, wrapToWidth } from '../terminal/table';
import { harmless, harmlessJson, onOneLine } from '../terminal/text';

interface PlanOptions {
  documentType?: string[];
  machine?: string[];
  expectedPubkey?: string;
  force?: true;
  resetCounts?: true;
  show?: true;
  auth?: true;
  json?: true;
}

/** A person reads at most so many rows. Rows with trouble are always shown. */
const MAX_ROWS = 100;

export function registerPlan(program: Command): void {
  program
    .command('plan')
    .summary('say what a run would do, and do nothing')
    .description(
      "Says for each machine and document type what a run would do now: publish, unchanged, skipped, or invalid and why; with sizes, the relays and their limits, and whether the signer's key is the account's. Signs nothing and writes nothing: a relay that requires authentication (NIP-42) is unknown, unless --auth is given.\nNeeds a worker's configuration. Exit code 5 when something has to be put right first, 1 when a relay requires authentication or the operator has no machines.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--document-type <type...>', 'only these document types')
    .option('--machine <id...>', 'only these machines')
    .option('--expected-pubkey <key>', 'the key that the operator should have now (hex or npub)')
    .option('--force', 'as with `start --force`: unchanged documents would be signed again')
    .addOption(resetCountsOption())
    .option('--show', "print what would be sent: d tag, tags and the JSON. It is the machines' secret")
    .option('--auth', AUTH_HELP)
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish plan 8f3c2b\n')
    .action(plan);
}

async function plan(operator: string, options: PlanOptions): Promise<void> {
  const { planRepublish } = await import('../../../inspection/plan.js');
  const { loadWorkerConfiguration } = await import('../configuration.js');
  const { publicKeyOption } = await import('../public-key.js');
  const expectedPubkey =
    options.expectedPubkey === undefined
      ? undefined
      : await publicKeyOption('--expected-pubkey', options.expectedPubkey);
  const planned = await planRepublish(
    await loadWorkerConfiguration(['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey']),
    {
      operatorUserId: operator,
      ...(options.documentType ? { documentTypes: [...new Set(options.documentType)] } : {}),
      ...(options.machine ? { machineIds: [...new Set(options.machine)] } : {}),
      ...(expectedPubkey ? { expectedPubkey } : {}),
      ...forceOptions(options),
      ...(options.show ? { show: true } : {}),
      ...(options.auth ? { auth: true } : {}),
    },
    say,
  );
  if (options.json) printJson(planned);
  else await show(planned, options.auth === true);
  process.exitCode = exitCodeOfPlan(planned);
}

/** An operator without machines was most likely looked for in the wrong place: that is no "ready". */
export function exitCodeOfPlan(planned: RepublishPlan): number {
  if (hasObstacles(planned)) return EXIT.preflight;
  const isKnown = !planned.relays.some(({ isUnknown }) => isUnknown);
  return isKnown && isReady(planned) ? EXIT.ok : EXIT.failed;
}

async function show(planned: RepublishPlan, hasAuthenticated: boolean): Promise<void> {
  const { npub } = await import('../../../nostr/keys.js');
  const { operatorUserId, operatorPubkey, documents, counts, source, problems } = planned;
  const { relays, missingRelays, quorum } = planned;
  print(`operator ${operatorUserId}\nkey      ${npub(operatorPubkey)}`);
  print(`lnbits   ${sourceLine(source)}`);
  print(`signer   ${signerLine(planned)}\n`);
  print(fittedTable(['relay', 'state and limits'], relays.map(relayRow)));
  print(`${quorum} of ${relays.length} must hold a document\n`);
  sayRelaysWantAuth(
    relays.flatMap(({ relay, isUnknown }) => (isUnknown ? relay : [])),
    { subcommand: 'plan', operatorUserId, hasAuthenticated },
  );
  if (missingRelays.length > 0) {
    print(
      paragraph(
        `warning: LNbits' nostrclient publishes to ${missingRelays.join(', ')} too, and REPUBLISH_RELAYS does not: machines that read there would not find what is republished\n`,
      ),
    );
  }
  if (documents.length === 0) print(paragraph(noMachines(planned.lookedIn)));
  else showDocuments(documents);
  documents.forEach(showContent);
  print(
    `${toPublish(counts.publish, planned.toSign)}, ${counts.unchanged} unchanged, ${counts.skipped} skipped, ${counts.invalid} invalid`,
  );
  if (planned.estimate !== null) print(paragraph(estimateLine(planned.estimate)));
  else if (planned.toSign > 0 && planned.signer !== null) print(paragraph(noEstimate(operatorUserId)));
  if (planned.standAlready > 0) {
    print(
      paragraph(
        `note: ${planned.standAlready} of them have a document at the new address that is not ours, as far as this ledger knows: the extension has published there already, or a run with another ledger or data folder`,
      ),
    );
  }
  showWarnings(documents, operatorUserId);
  const types = new Set(documents.flatMap(({ failure }) => failure?.type ?? []));
  for (const { type, message } of problems) printError(`${type}: ${message}`);
  for (const type of new Set([...problems.map((problem) => problem.type), ...types]))
    print(paragraph(completeCommands(`remedy for ${type}: ${remedyFor(type)}`, operatorUserId)));
}

function printError(text: string): void {
  const [first = '', ...others] = wrapToWidth(harmless(`error: ${text}`), terminalWidth());
  const word = paintedFor(process.stdout, 'red', 'error:');
  printPainted([word + first.slice('error:'.length), ...others].join('\n'));
}

function estimateLine({ from, measuredAt, ...expected }: Estimate): string {
  const source = from === 'run' ? 'the last run' : 'signer check --deep';
  return `the signer will take ${expectedDuration(expected)}, at the speed of ${source} on ${measuredAt.slice(0, 16).replace('T', ' ')} UTC`;
}

/** A signer that was paired again counts as another signer: its duration is unknown. */
function noEstimate(operatorUserId: string): string {
  return `no estimate: since this signer was added, no run of at least ${LEAST_SIGNATURES} documents has used it, and it was not measured. To measure it: ${commandLine('signer check', operatorUserId)} --deep`;
}

/** Documents that an earlier run signed are only sent. */
function toPublish(publish: number, toSign: number): string {
  if (publish === 0) return 'nothing to publish';
  const parts = [
    ...(toSign > 0 ? [`${toSign} to be signed`] : []),
    ...(toSign < publish ? [`${publish - toSign} signed already`] : []),
  ];
  return `${publish} to publish (${parts.join(', ')})`;
}

type Action = ForeseenDocument['action'];

const STYLES: Record<Action, Style> = {
  publish: 'green',
  unchanged: 'dim',
  skipped: 'yellow',
  invalid: 'red',
};

function showDocuments(documents: ForeseenDocument[]): void {
  const shown = documents.filter(({ action }, index) => action === 'invalid' || index < MAX_ROWS);
  const sections = byMachine(shown, (document) => [
    document.documentType,
    document.action,
    sizeOf(document),
    document.failure ? `${document.failure.type}: ${document.because}` : document.because,
  ]);
  const paint = cellStyles((column, row) => (column === 1 ? STYLES[row[1] as Action] : undefined));
  printPainted(
    sectionedTable(['document type', 'plan', 'bytes: state/event', 'because'], sections, { paint }),
  );
  if (shown.length < documents.length)
    print(`and ${documents.length - shown.length} more, none of them invalid; all with --json`);
  print('');
}

/** A person reads at most so many warnings. */
const MAX_WARNINGS = 20;

/**
 * Always shown: a person must know before a count of a machine is set. One sentence for each document type,
 * then a line for each machine.
 */
function showWarnings(documents: ForeseenDocument[], operatorUserId: string): void {
  const warned = documents
    .filter(({ warning }) => warning !== undefined)
    .toSorted((a, b) => compareIds(a.documentType, b.documentType) || compareIds(a.machineId, b.machineId));
  let told = '';
  for (const { warning = '', warningOfMachine = '', ...document } of warned.slice(0, MAX_WARNINGS)) {
    const heading = `warning: ${document.documentType}: ${warning}`;
    if (heading !== told) print(paragraph(onOneLine(heading)));
    told = heading;
    const machine = [machineOf(document), warningOfMachine].filter((part) => part !== '').join(': ');
    print(paragraph(onOneLine(`  ${machine}`)));
  }
  if (warned.length > MAX_WARNINGS)
    print(
      paragraph(
        `warning: the same for ${warned.length - MAX_WARNINGS} more machines; all with: ${commandLine('plan', operatorUserId)} --json`,
      ),
    );
}

/** What would be sent. */
function showContent({ d, tags, json, ...document }: ForeseenDocument): void {
  if (json === undefined) return;
  print(onOneLine(documentOf(document)));
  // Control characters are escaped. A JSON parser reads the same text.
  print(`  d     ${d}\n  tags  ${harmlessJson(JSON.stringify(tags))}\n  json  ${harmlessJson(json)}\n`);
}

function sourceLine({ where, preset }: RepublishPlan['source']): string {
  if (preset === null) return `${where}, in place of its database`;
  return `${where}; ${preset === 'queries' ? 'every query is configured' : `preset ${preset}`}`;
}

/** The size of the state, and of the message that contains it. */
function sizeOf({ plaintextBytes, eventBytes }: ForeseenDocument): string {
  return plaintextBytes === undefined ? '' : `${plaintextBytes}/${eventBytes}`;
}

function signerLine({ signer, toSign }: RepublishPlan): string {
  if (signer === null) return 'none';
  const key = signer.matchesAccount
    ? "signs as the account's key"
    : `signs as ${short(signer.pubkey)}, which is not the account's key`;
  const answer =
    signer.answers === null
      ? toSign === 0
        ? 'not asked: nothing is to be signed'
        : 'not asked'
      : signer.answers
        ? 'answers'
        : 'does not answer as it should';
  const origin = signer.from === 'lnbits' ? `${signer.kind} (LNbits' own)` : signer.kind;
  return [origin, key, answer, ...usesOf(signer)].join('; ');
}

/** What a run would use of the limits of LNbits' own client. A bunker is silent when a limit is used up. */
function usesOf({ uses }: NonNullable<RepublishPlan['signer']>): string[] {
  if (uses === null) return [];
  return [
    `a run needs ${uses.nip44_encrypt} nip44_encrypt and ${uses.sign_event} sign_event of LNbits' own client (and ${uses.get_public_key} get_public_key)`,
  ];
}

function relayRow(facts: RelayFacts): string[] {
  const { relay, reachable, problem, limits, gateway, isUnknown } = facts;
  const state = reachable
    ? `${isUnknown ? 'unknown: ' : ''}${problem ?? 'reachable'}`
    : `unreachable: ${problem}`;
  if (limits === undefined) return [relay, reachable && !gateway ? `${state}; names no limits` : state];
  const told = [
    limits.maxMessageBytes === undefined ? [] : `message ${limits.maxMessageBytes} B`,
    limits.maxContentChars === undefined ? [] : `content ${limits.maxContentChars} characters`,
    limits.maxAheadS === undefined ? [] : `${limits.maxAheadS} s ahead`,
    limits.maxBehindS === undefined ? [] : `${limits.maxBehindS} s back`,
    limits.authRequired ? 'authentication' : [],
  ].flat();
  return [relay, [state, told.join(', ')].filter((part) => part !== '').join('; ')];
}
