import { RepublishError } from '../../contract/failures';
import { tagsOf } from '../../documents/document-type';
import type { SerialisedState } from '../../documents/state';
import { publicKeyHex } from '../../nostr/keys';
import type { MachineRow } from '../../sources/source';
import type { ActivityDependencies } from '../dependencies';
import { accountPubkey } from '../steps/open-run';
import { fingerprintOf } from '../steps/fingerprint';
import { readStates, requireType } from '../steps/read-state';
import { tooLargeForRelays } from '../steps/relay-objections';
import { type Trouble, troubleOf } from './document';

/** What is to be published for a machine, by its rows at one moment. */
export interface ReadDocument {
  plaintext: string;
  tags: string[][];
  fingerprint: string;
  /** Just before the read, by this worker's clock. */
  readAtMs: number;
}

export interface ReadPage {
  /** By machine id. */
  documents: Map<string, ReadDocument | Trouble>;
  /** The account has another key now, so the whole plan of this run is outdated. */
  outdated?: RepublishError;
}

interface Asked {
  operatorUserId: string;
  operatorPubkey: string;
  documentType: string;
  machines: readonly { machineId: string; atmPubkey: string | null }[];
}

/**
 * Reads the account's key, and the key, owner and state of these machines, in a few statements. A row that
 * differs from the plan ends its document as PlanOutdated: the old owner's run must not send the new owner's
 * settings.
 */
export async function readPage(deps: ActivityDependencies, asked: Asked): Promise<ReadPage> {
  const { operatorUserId, operatorPubkey, documentType } = asked;
  const machineIds = asked.machines.map(({ machineId }) => machineId);
  const readAtMs = Date.now();
  // States first, then owners. In the other order, a machine that is sold between the two reads would be
  // published by its old owner with the new owner's state.
  const states = await readStates(deps, documentType, machineIds);
  const [outdated, machines] = await Promise.all([
    outdatedAccount(deps, operatorUserId, operatorPubkey),
    deps.source.machines({ operatorUserId, machineIds, limit: machineIds.length }),
  ]);
  if (outdated !== undefined) return { documents: new Map(), outdated };
  const byId = new Map(machines.map((machine) => [machine.id, machine]));
  const documents = new Map<string, ReadDocument | Trouble>();
  for (const { machineId, atmPubkey } of asked.machines) {
    const outdatedMachine = outdatedBy(byId.get(machineId), atmPubkey);
    documents.set(
      machineId,
      outdatedMachine === undefined
        ? await readDocument(deps, { documentType, atmPubkey, state: states.get(machineId), readAtMs })
        : { type: 'PlanOutdated', message: outdatedMachine, final: true },
    );
  }
  return { documents };
}

/** Why the run's account key is no longer the account's. Undefined: it still is. */
export async function outdatedAccount(
  deps: Pick<ActivityDependencies, 'source'>,
  operatorUserId: string,
  operatorPubkey: string,
): Promise<RepublishError | undefined> {
  const now = await accountPubkey(deps, operatorUserId).catch((thrown: unknown) => {
    if (thrown instanceof RepublishError && thrown.type === 'OperatorNotFound') return undefined;
    throw thrown;
  });
  if (now === operatorPubkey) return undefined;
  return new RepublishError(
    'PlanOutdated',
    `the account's public key is ${now ?? 'not set'} now, the run was opened for ${operatorPubkey}`,
  );
}

/** Why the plan of a machine is no longer right. Undefined: it still is. */
function outdatedBy(machine: MachineRow | undefined, atmPubkey: string | null): string | undefined {
  if (machine === undefined) return 'the machine is no longer one of the operator';
  const now = publicKeyHex(machine.machineNpub ?? '');
  if (now === atmPubkey) return undefined;
  return `machine_npub is ${now ?? 'no public key'} now, the run was planned for ${atmPubkey ?? 'none'}`;
}

interface Row {
  documentType: string;
  atmPubkey: string | null;
  state: SerialisedState | RepublishError | undefined;
  readAtMs: number;
}

async function readDocument(
  deps: ActivityDependencies,
  { documentType, atmPubkey, state, readAtMs }: Row,
): Promise<ReadDocument | Trouble> {
  try {
    if (atmPubkey === null) throw new RepublishError('MachineKeyInvalid', 'the machine has no usable key');
    if (state instanceof RepublishError) throw state;
    if (state === undefined) throw new RepublishError('StateInvalid', 'its state was removed during the run');
    const { plaintext } = state;
    const tags = tagsOf(requireType(deps, documentType), atmPubkey);
    const tooLarge = await tooLargeForRelays(deps, tags, plaintext);
    if (tooLarge !== undefined) throw new RepublishError('StateTooLarge', tooLarge);
    return { plaintext, tags, fingerprint: fingerprintOf(deps.fingerprintKey, plaintext), readAtMs };
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    return troubleOf(thrown);
  }
}
