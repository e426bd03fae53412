import type { Command } from 'commander';
import type { Verification, VerifiedDocument } from '../../../inspection/verify';
import { byMachine } from '../by-machine';
import { EXIT } from '../exit-codes';
import { print, printJson } from '../output';
import { paragraph, sectionedTable, short } from '../terminal/table';

interface VerifyOptions {
  documentType?: string[];
  machine?: string[];
  json?: true;
}

/** Rows that a person reads; what is not in order is always shown. */
const MAX_ROWS = 100;

export function registerVerify(program: Command): void {
  program
    .command('verify')
    .summary('ask the relays as the machines would, and compare with the audit')
    .description(
      'Asks every relay for every document as its machine would (author, kind, d) and compares with what the runs so far have published: current, missing, older or newer, by relay and by the quorum. Reads only, signs nothing.\nExit code 3 when documents are missing or older on the quorum; 1 when so few relays answer that it cannot be said.',
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--document-type <type...>', 'only these document types')
    .option('--machine <id...>', 'only these machines')
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish verify 8f3c2b\n')
    .action(verify);
}

async function verify(operator: string, options: VerifyOptions): Promise<void> {
  const { verifyDocuments } = await import('../../../inspection/verify.js');
  const { workerConfiguration } = await import('../configuration.js');
  const verification = await verifyDocuments(await workerConfiguration(['databaseUrl', 'relays']), {
    operatorUserId: operator,
    ...(options.documentType ? { documentTypes: [...new Set(options.documentType)] } : {}),
    ...(options.machine ? { machineIds: [...new Set(options.machine)] } : {}),
  });
  if (options.json) printJson(verification);
  else await show(verification);
  const { counts } = verification;
  if (counts.missing + counts.older > 0) process.exitCode = EXIT.partlyDone;
  else if (counts.unknown > 0) process.exitCode = EXIT.failed;
}

async function show({
  operatorUserId,
  operatorPubkey,
  quorum,
  documents,
  counts,
}: Verification): Promise<void> {
  const { npub } = await import('../../../nostr/keys.js');
  print(`operator ${operatorUserId}\nkey      ${npub(operatorPubkey)}\n`);
  const shown = documents.filter((document, index) => !isInOrder(document) || index < MAX_ROWS);
  if (documents.length === 0) print('no machines; is "queries.machines" right?');
  else {
    const sections = byMachine(shown, (document) => [
      document.documentType,
      document.verdict,
      document.eventId === null ? '' : short(document.eventId),
      relaysOf(document),
    ]);
    print(sectionedTable(['document type', 'verdict', 'event', 'relays'], sections));
    if (shown.length < documents.length)
      print(`and ${documents.length - shown.length} more, all in order; all with --json`);
  }
  sayUnknown(documents);
  const told = Object.entries(counts).filter(([verdict, count]) => count > 0 || verdict === 'current');
  print(
    `\n${told.map(([verdict, count]) => `${count} ${verdict}`).join(', ')} (on at least ${quorum} relay${quorum === 1 ? '' : 's'})`,
  );
  if (counts.missing + counts.older > 0)
    print(
      `what is in the way: republish plan ${operatorUserId}\nput them back:       republish start ${operatorUserId}`,
    );
}

function isInOrder({ verdict }: VerifiedDocument): boolean {
  return verdict === 'current' || verdict === 'newer' || verdict === 'no state';
}

/** Those that agree and those that do not answer as a number, the others by name. */
function relaysOf({ relays, eventId, verdict }: VerifiedDocument): string {
  const all = Object.entries(relays);
  if (verdict === 'no key') return 'atm_pubkey is not a public key';
  const current = all.filter(([, { state }]) => state === 'current').length;
  const others = all
    .filter(([, { state }]) => state !== 'current' && state !== 'unknown')
    .map(([relay, { state, eventId: other }]) => `${relay}: ${state}${other ? ` (${short(other)})` : ''}`);
  const unknown = all.filter(([, { state }]) => state === 'unknown').length;
  const never = all.length > 0 && eventId === null ? ['no run has published it'] : [];
  const same = current > 0 ? [`${current} of ${all.length} current`] : [];
  return [...never, ...same, ...others, ...(unknown > 0 ? [`${unknown} unknown`] : [])].join('; ');
}

/** A relay that is away is away for all documents: told once. */
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
