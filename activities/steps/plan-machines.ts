import { type FailureType, RepublishError } from '../../contract/failures';
import type { PlannedDocument } from '../../database/ledger/documents';
import type { MachineRow } from '../../database/sources';
import { dTag } from '../../documents/document-type';
import { npub, parsePublicKey, publicKeyHex } from '../../nostr/keys';
import type { ActivityDependencies } from '../dependencies';
import { fingerprintOf } from './fingerprint';
import { StateReader } from './read-state';
import { tooLargeForRelays } from './relay-limits';

/** What concerns a single document and must not stop the others; anything else concerns the whole page. */
const OF_ONE_DOCUMENT: ReadonlySet<FailureType> = new Set([
  'StateInvalid',
  'StateTooLarge',
  'DatabaseMisconfigured',
]);

/** Machines whose states are read with one statement, at most, and what all of them may come to. */
const MAX_MACHINES_PER_READ = 100;
const MAX_BYTES_PER_READ = 16_000_000;
/** Where states can only be read one by one: other pages and documents need connections too. */
const MACHINES_AT_ONCE = 4;

interface Plan {
  documents: PlannedDocument[];
  /** Fingerprint of each publishable state, by d tag. */
  fingerprints: Map<string, string>;
  /** UTF-8 bytes of each publishable state, by d tag. */
  plaintextBytes: Map<string, number>;
}

/** What is to become of each document of some machines, judged by today's rows: publishable, without state, or bad. */
export async function planMachines(
  deps: ActivityDependencies,
  { operatorUserId, documentTypes }: { operatorUserId: string; documentTypes: string[] },
  machines: MachineRow[],
  signal: AbortSignal,
): Promise<Plan> {
  const shared = await sharedAtmPubkeys(deps, operatorUserId, machines);
  const plan: Pick<Plan, 'fingerprints' | 'plaintextBytes'> = {
    fingerprints: new Map(),
    plaintextBytes: new Map(),
  };
  const documents: PlannedDocument[][] = [];
  const readers = documentTypes.map((type) => new StateReader(deps, type));
  const perRead = machinesPerRead(deps.maxStateBytes);
  for (let begin = 0; begin < machines.length; begin += perRead) {
    const together = machines.slice(begin, begin + perRead);
    const ids = together.map(({ id }) => id);
    await Promise.all(readers.map((reader) => reader.prepare(ids)));
    const left = together.entries();
    const lane = async (): Promise<void> => {
      for (const [index, machine] of left) {
        signal.throwIfAborted();
        documents[begin + index] = await planMachine(deps, readers, machine, shared, plan);
      }
    };
    await Promise.all(Array.from({ length: MACHINES_AT_ONCE }, lane));
  }
  return { documents: documents.flat(), ...plan };
}

/** Rows may have four times the bytes of the state that is made of them. */
function machinesPerRead(maxStateBytes: number): number {
  const fitting = Math.floor(MAX_BYTES_PER_READ / (4 * maxStateBytes));
  return Math.min(Math.max(fitting, 1), MAX_MACHINES_PER_READ);
}

/** Keys (hex) of these machines that another machine of the operator has too, however they are written. */
async function sharedAtmPubkeys(
  deps: ActivityDependencies,
  operatorUserId: string,
  machines: MachineRow[],
): Promise<Set<string>> {
  const own = [...new Set(machines.flatMap(({ atm_pubkey }) => publicKeyHex(atm_pubkey ?? '') ?? []))];
  if (own.length === 0) return new Set();
  const spellings = own.flatMap((key) => [key, npub(key)]);
  const written = await deps.sources.atmPubkeys(deps.database, operatorUserId, spellings);
  const keys = written.flatMap((key) => publicKeyHex(key) ?? []);
  const once = new Set<string>();
  return new Set(keys.filter((key) => once.size === once.add(key).size));
}

/** The documents of one machine. Notes fingerprint and size of each publishable state by its d tag. */
async function planMachine(
  deps: ActivityDependencies,
  readers: StateReader[],
  machine: MachineRow,
  shared: Set<string>,
  noted: Pick<Plan, 'fingerprints' | 'plaintextBytes'>,
): Promise<PlannedDocument[]> {
  const atmPubkey = parsePublicKey(machine.atm_pubkey ?? '') ?? null;
  const keyProblem =
    atmPubkey === null
      ? `atm_pubkey of machine ${machine.id} is not a public key (64 hex characters or npub)`
      : shared.has(atmPubkey)
        ? `atm_pubkey of machine ${machine.id} is also another machine's: they would overwrite each other's documents`
        : undefined;

  return Promise.all(
    readers.map(async (reader): Promise<PlannedDocument> => {
      const { documentType } = reader;
      const row = {
        documentType,
        machineId: machine.id,
        machineName: machine.name ?? machine.id,
        atmPubkey,
        outcome: null,
        failureType: null,
        failureMessage: null,
      };
      if (keyProblem !== undefined) {
        return { ...row, outcome: 'failed', failureType: 'MachineKeyInvalid', failureMessage: keyProblem };
      }
      try {
        const plaintext = await reader.read(machine.id);
        if (plaintext === undefined) return { ...row, outcome: 'skipped' };
        const d = dTag(documentType, atmPubkey ?? '');
        noted.plaintextBytes.set(d, Buffer.byteLength(plaintext, 'utf8'));
        const tooLarge = await tooLargeForRelays(deps, d, plaintext);
        if (tooLarge !== undefined) throw new RepublishError('StateTooLarge', tooLarge);
        noted.fingerprints.set(d, fingerprintOf(deps.fingerprintKey, plaintext));
        return row;
      } catch (thrown) {
        if (!(thrown instanceof RepublishError) || !OF_ONE_DOCUMENT.has(thrown.type)) throw thrown;
        const message = `${documentType} of machine ${machine.id}: ${thrown.message}`;
        return { ...row, outcome: 'failed', failureType: thrown.type, failureMessage: message };
      }
    }),
  );
}
