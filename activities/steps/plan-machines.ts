import { RepublishError } from '../../contract/failures';
import type { PlannedDocument } from '../../database/ledger/plan';
import { type DocumentType, dTag, tagsOf } from '../../documents/document-type';
import type { SerialisedState } from '../../documents/state';
import { npub, parsePublicKey, publicKeyHex } from '../../nostr/keys';
import type { CurrentSigner } from '../../nostr/signers/keyring';
import type { Owner } from '../../nostr/signers/operator-signers';
import { judgePlan, type MachineKey } from '../../rules/plan';
import type { MachineRow } from '../../sources/source';
import type { ReadOnlyDependencies } from '../dependencies';
import { fingerprintOf } from './fingerprint';
import { readStates, requireType } from './read-state';
import { tooLargeForBunker, tooLargeForRelays } from './relay-objections';
import { currentSignerIfAny } from './use-signer';

/** Most machines, and most bytes, of one statement that reads states. */
const MAX_MACHINES_PER_READ = 100;
const MAX_BYTES_PER_READ = 16_000_000;

/** A planned document before it gets its page. */
export type JudgedDocument = Omit<PlannedDocument, 'page'>;

interface Plan {
  documents: JudgedDocument[];
  /** What would be published, by d tag. It holds plaintext: only `plan --show` may show it. */
  states: Map<string, PlannedState>;
  /** Of all states that were read, also those too large for a relay. UTF-8. 0: there are none. */
  largestStateBytes: number;
}

export interface PlannedState extends SerialisedState {
  tags: string[][];
  /** UTF-8. */
  plaintextBytes: number;
  fingerprint: string;
}

/** Plans each document of some machines by today's rows: publishable, without state, or bad. */
export async function planMachines(
  deps: ReadOnlyDependencies,
  { documentTypes, ...owner }: Owner & { documentTypes: string[] },
  machines: MachineRow[],
  signal: AbortSignal,
): Promise<Plan> {
  requireEachOnce(machines);
  const shared = await sharedAtmPubkeys(deps, owner.operatorUserId, machines);
  const signer = await currentSignerIfAny(deps, owner);
  const plan: Omit<Plan, 'documents'> = { states: new Map(), largestStateBytes: 0 };
  const documents: JudgedDocument[] = [];
  const perRead = machinesPerRead(deps.maxStateBytes);
  for (let begin = 0; begin < machines.length; begin += perRead) {
    signal.throwIfAborted();
    const together = machines.slice(begin, begin + perRead);
    const ids = together.map(({ id }) => id);
    const states = await Promise.all(documentTypes.map((type) => statesOf(deps, type, ids)));
    for (const machine of together) {
      const key = keyOf(machine, shared);
      for (const [index, documentType] of documentTypes.entries()) {
        const state = states[index]?.get(machine.id);
        documents.push(await planDocument(deps, { machine, documentType, key, state, signer }, plan));
      }
    }
  }
  return { documents, ...plan };
}

type State = SerialisedState | RepublishError | undefined;

/** The states of one type. If its whole query is refused, each document gets that failure. */
async function statesOf(
  deps: ReadOnlyDependencies,
  documentType: string,
  machineIds: string[],
): Promise<Map<string, State>> {
  try {
    return await readStates(deps, documentType, machineIds);
  } catch (thrown) {
    if (!(thrown instanceof RepublishError) || thrown.type !== 'SourceMisconfigured') throw thrown;
    return new Map(machineIds.map((id) => [id, thrown]));
  }
}

/** The rows of a state may have four times its bytes. */
function machinesPerRead(maxStateBytes: number): number {
  const fitting = Math.floor(MAX_BYTES_PER_READ / (4 * maxStateBytes));
  return Math.min(Math.max(fitting, 1), MAX_MACHINES_PER_READ);
}

/** Keys (hex) of these machines that another machine of the operator has too, in any spelling. */
async function sharedAtmPubkeys(
  deps: ReadOnlyDependencies,
  operatorUserId: string,
  machines: MachineRow[],
): Promise<Set<string>> {
  const own = [...new Set(machines.flatMap(({ machineNpub }) => publicKeyHex(machineNpub ?? '') ?? []))];
  if (own.length === 0) return new Set();
  const spellings = own.flatMap((key) => [key, npub(key)]);
  const written = await deps.source.machineKeys(operatorUserId, spellings);
  const keys = written.flatMap((key) => publicKeyHex(key) ?? []);
  return repeated(keys);
}

function repeated(values: readonly string[]): Set<string> {
  const once = new Set<string>();
  return new Set(values.filter((value) => once.size === once.add(value).size));
}

/** Two rows with one id: the ledger would lose one of them. @throws RepublishError SourceMisconfigured */
function requireEachOnce(machines: MachineRow[]): void {
  const [twice] = repeated(machines.map(({ id }) => id));
  if (twice === undefined) return;
  throw new RepublishError('SourceMisconfigured', `queries.machines: gives machine ${twice} more than once`);
}

function keyOf({ machineNpub }: MachineRow, shared: Set<string>): MachineKey {
  const hex = parsePublicKey(machineNpub ?? '');
  return { written: machineNpub, hex, isShared: hex !== undefined && shared.has(hex) };
}

interface KnownOfDocument {
  machine: MachineRow;
  documentType: string;
  key: MachineKey;
  state: State;
  signer: CurrentSigner | undefined;
}

/** Plans one document. Notes the state of one that is to be published, by d tag, and the size of any. */
async function planDocument(
  deps: ReadOnlyDependencies,
  { machine, documentType, key, state, signer }: KnownOfDocument,
  noted: Omit<Plan, 'documents'>,
): Promise<JudgedDocument> {
  const type = requireType(deps, documentType);
  const content =
    key.hex === undefined ? undefined : await contentOf(deps, type, key.hex, { state, signer }, noted);
  const verdict = judgePlan({
    key,
    state: content === undefined ? 'none' : content instanceof RepublishError ? content : 'publishable',
    withoutState: type.withoutState,
  });
  if (verdict.outcome === null && content !== undefined && !(content instanceof RepublishError))
    noted.states.set(dTag(documentType, key.hex ?? ''), content);
  return {
    documentType,
    machineId: machine.id,
    machineName: machine.name ?? machine.id,
    atmPubkey: key.hex ?? null,
    ...verdict,
  };
}

/** What would be published for a machine, or why that cannot be. Undefined: it has no state. */
async function contentOf(
  deps: ReadOnlyDependencies,
  type: DocumentType,
  atmPubkey: string,
  { state, signer }: Pick<KnownOfDocument, 'state' | 'signer'>,
  noted: Pick<Plan, 'largestStateBytes'>,
): Promise<PlannedState | RepublishError | undefined> {
  if (state === undefined || state instanceof RepublishError) return state;
  const { plaintext } = state;
  let tags: string[][];
  try {
    tags = tagsOf(type, atmPubkey);
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    return thrown;
  }
  const plaintextBytes = Buffer.byteLength(plaintext, 'utf8');
  noted.largestStateBytes = Math.max(noted.largestStateBytes, plaintextBytes);
  const tooLarge =
    (await tooLargeForRelays(deps, tags, plaintext)) ??
    (await tooLargeForBunker(deps, signer, { tags, plaintext }));
  if (tooLarge !== undefined) return new RepublishError('StateTooLarge', tooLarge);
  return { ...state, tags, plaintextBytes, fingerprint: fingerprintOf(deps.fingerprintKey, plaintext) };
}
