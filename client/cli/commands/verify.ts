import { type Command, Option } from 'commander';
import type { RelayVerdict } from '../../../inspection/verdict';
import type { Verification, VerifiedDocument } from '../../../inspection/verify';
import { byMachine } from '../by-machine';
import { EXIT } from '../exit-codes';
import { AUTH_HELP, sayRelaysWantAuth } from '../relay-auth';
import { cellStyles, print, printJson, printPainted, say } from '../output';
import type { Style } from '../terminal/paint';
import { commandLine } from '../command-lines';
import { noMachines } from '../run-view/outcome';
import { paragraph, sectionedTable, short } from '../terminal/table';

interface VerifyOptions {
  documentType?: string[];
  machine?: string[];
  auth?: true;
  asMachine?: string;
  json?: true;
}

/** A person reads at most so many rows. Rows that are not in order are always shown. */
const MAX_ROWS = 100;

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .summary('ask the relays as the machines would, and compare with the audit')
    .description(
      'Asks every relay for every document as its machine would (author and kind, by #d and by #p) and compares with what the runs so far have published: current, missing, older or newer, by relay and by the quorum. Reads only, and signs nothing: a relay that requires authentication (NIP-42) is unknown, unless --auth or --as-machine is given.\nExit code 3 when documents are missing or older on the quorum, or the key of a machine is invalid; 1 when too few relays answer, when a relay requires authentication, when the operator has no machines, or when the ledger has a document type that is not known here; 5 when it cannot begin: an operator, machine or document type that is not known, a database that cannot be read.',
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--document-type <type...>', 'only these document types')
    .option('--machine <id...>', 'only these machines')
    .option('--auth', AUTH_HELP)
    .addOption(
      new Option(
        '--as-machine <keyfile>',
        "ask as the machine whose secret key (nsec or 64 hex characters) is in the file, for that machine's documents",
      ).conflicts('auth'),
    )
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish verify 8f3c2b\n')
    .action(verify);
}

async function verify(operator: string, options: VerifyOptions): Promise<void> {
  const { verifyDocuments } = await import('../../../inspection/verify.js');
  const { loadWorkerConfiguration } = await import('../configuration.js');
  const secretKey = options.asMachine === undefined ? undefined : await machineKey(options.asMachine);
  try {
    const verification = await verifyDocuments(
      await loadWorkerConfiguration([
        'databaseUrl',
        'lnbitsDatabaseUrl',
        'relays',
        ...(options.auth ? (['secretsKey'] as const) : []),
      ]),
      {
        operatorUserId: operator,
        ...(options.documentType ? { documentTypes: [...new Set(options.documentType)] } : {}),
        ...(options.machine ? { machineIds: [...new Set(options.machine)] } : {}),
        ...(options.auth ? { asking: { as: 'operator', say } } : {}),
        ...(secretKey ? { asking: { as: 'machine', secretKey } } : {}),
      },
    );
    if (options.json) printJson(verification);
    else await show(verification, options);
    process.exitCode = exitCodeOf(verification);
  } finally {
    secretKey?.fill(0);
  }
}

async function machineKey(file: string): Promise<Uint8Array> {
  const { parseSecretKey } = await import('../../../nostr/keys.js');
  const { readSecretFile } = await import('../read-secret.js');
  const { UsageError } = await import('../fail.js');
  const what = "machine's key";
  const key = parseSecretKey(await readSecretFile(what, file, '--as-machine'));
  if (key !== undefined) return key;
  throw new UsageError(
    `${file} holds no secret key`,
    "The machine's own key as nsec or 64 hex characters, alone in the file; of one that is encrypted (ncryptsec) what it decrypts to.",
  );
}

/**
 * The most certain fault decides: missing documents come before relays that did not answer. Without machines
 * nothing was compared, and most likely they were looked for in the wrong place.
 */
export function exitCodeOf({
  counts,
  lookedIn,
  unknownTypes,
  unknownRelays,
}: Pick<Verification, 'counts' | 'lookedIn' | 'unknownTypes' | 'unknownRelays'>): number {
  if (countWrong(counts) > 0) return EXIT.partlyDone;
  const isKnown = counts.unknown === 0 && unknownTypes.length === 0 && unknownRelays.length === 0;
  return isKnown && lookedIn === undefined ? EXIT.ok : EXIT.failed;
}

/** Documents that their machines do not find as they should, and those that no run can publish. */
export function countWrong(counts: Verification['counts']): number {
  return counts.missing + counts.older + counts['invalid key'];
}

const STYLES: Partial<Record<VerifiedDocument['verdict'], Style>> = {
  current: 'green',
  newer: 'green',
  missing: 'red',
  older: 'red',
  'invalid key': 'red',
  unknown: 'yellow',
};

async function show(verification: Verification, { auth, asMachine }: VerifyOptions): Promise<void> {
  const { operatorUserId, operatorPubkey, quorum, documents, counts } = verification;
  const { unknownTypes, unknownRelays } = verification;
  const { npub } = await import('../../../nostr/keys.js');
  print(`operator ${operatorUserId}\nkey      ${npub(operatorPubkey)}\n`);
  const shown = documents.filter((document, index) => !isInOrder(document) || index < MAX_ROWS);
  if (documents.length === 0) print(paragraph(noMachines(verification.lookedIn)));
  else {
    const sections = byMachine(shown, (document) => [
      document.documentType,
      document.verdict,
      document.eventId === null ? '' : short(document.eventId),
      relaysOf(document),
    ]);
    const paint = cellStyles((column, row) =>
      column === 1 ? STYLES[row[1] as VerifiedDocument['verdict']] : undefined,
    );
    printPainted(sectionedTable(['document type', 'verdict', 'event', 'relays'], sections, { paint }));
    if (shown.length < documents.length)
      print(`and ${documents.length - shown.length} more, all in order; all with --json`);
  }
  sayUnknown(documents);
  sayRelaysWantAuth(unknownRelays, {
    subcommand: 'verify',
    operatorUserId,
    hasAuthenticated: auth === true || asMachine !== undefined,
    otherwise: '. To authenticate as a machine: --as-machine <keyfile>',
  });
  if (unknownTypes.length > 0)
    print(
      paragraph(
        `error: the ledger has documents of ${unknownTypes.join(', ')}, which are not known here and were not looked at: name their modules in "documentTypes" of the configuration`,
      ),
    );
  const told = Object.entries(counts).filter(([verdict, count]) => count > 0 || verdict === 'current');
  print(`\n${told.map(([verdict, count]) => `${count} ${verdict}`).join(', ')}`);
  const asked = Math.max(0, ...documents.map(({ relays }) => Object.keys(relays).length));
  if (asked > 0) print(paragraph(meaningOf(quorum, asked)));
  if (counts.unknown > 0)
    print(
      paragraph(
        `unknown is neither good nor bad: too few relays answered. What is wrong with each relay: ${commandLine('doctor')}. When they answer again: ${commandLine('verify', operatorUserId)}`,
      ),
    );
  if (documents.some(({ relays }) => Object.values(relays).some(isFoundByOne)))
    print(
      paragraph(
        'A relay finds some documents by #d or by #p, and not by both. The documents are on the relay, but the relay does not search tags as NIP-01 requires, and a machine may not find them. Use another relay: REPUBLISH_RELAYS.',
      ),
    );
  if (documents.some(isToPutBack))
    print(
      `what is in the way: ${commandLine('plan', operatorUserId)}\nput them back:       ${commandLine('start', operatorUserId)}`,
    );
}

/** The unit of the counts: relays, out of those that were asked. */
function meaningOf(quorum: number, asked: number): string {
  const enough =
    quorum === asked
      ? asked === 1
        ? 'the one relay has'
        : `all ${asked} relays have`
      : `at least ${quorum} of ${asked} relays ${quorum === 1 ? 'has' : 'have'}`;
  return `current: ${enough} what was published last`;
}

/**
 * A document that stands, but is found by only one filter, is not put back: a run would have nothing to do.
 */
function isToPutBack({ verdict, relays }: VerifiedDocument): boolean {
  return (verdict === 'missing' || verdict === 'older') && !Object.values(relays).some(isFoundByOne);
}

function isFoundByOne({ state, eventId, detail }: RelayVerdict): boolean {
  return state === 'missing' && eventId !== undefined && detail !== undefined;
}

function isInOrder({ verdict }: VerifiedDocument): boolean {
  return verdict === 'current' || verdict === 'newer' || verdict === 'no state';
}

/** Relays that agree or do not answer as a number, the others by name. */
function relaysOf({ relays, eventId, verdict }: VerifiedDocument): string {
  const all = Object.entries(relays);
  if (verdict === 'not paired') return 'machine_npub is empty';
  if (verdict === 'invalid key') return 'machine_npub is no public key: correct it';
  const current = all.filter(([, { state }]) => state === 'current').length;
  const others = all
    .filter(([, { state }]) => state !== 'current' && state !== 'unknown')
    .map(([relay, { state, eventId: other, detail }]) => {
      const more = detail ?? (other ? short(other) : undefined);
      return `${relay}: ${state}${more === undefined ? '' : ` (${more})`}`;
    });
  const unknown = all.filter(([, { state }]) => state === 'unknown').length;
  const never = all.length > 0 && eventId === null ? ['no run has published it'] : [];
  const same = current > 0 ? [`${current} of ${all.length} current`] : [];
  return [...never, ...same, ...others, ...(unknown > 0 ? [`${unknown} unknown`] : [])].join('; ');
}

/** A relay that is away has no document: it is shown once. */
function sayUnknown(documents: VerifiedDocument[]): void {
  const reasons = new Map<string, number>();
  for (const [relay, { state, detail }] of documents.flatMap(({ relays }) => Object.entries(relays))) {
    if (state !== 'unknown') continue;
    const reason = `${relay}: ${detail ?? 'no answer'}`;
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  if (reasons.size > 0) print('');
  for (const [reason, count] of reasons)
    print(paragraph(`unknown for ${count} document${count === 1 ? '' : 's'}: ${reason}`));
}
