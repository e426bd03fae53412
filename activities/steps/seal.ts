import { RepublishError } from '../../contract/failures';
import type { AttemptRow } from '../../database/ledger/attempts';
import {
  type DocumentRow,
  type EarlierSeal,
  newestSeal,
  type SealedEvent,
} from '../../database/ledger/documents';
import { DOCUMENT_KIND, dTag, tagsOf } from '../../documents/document-type';
import { eventId } from '../../nostr/events';
import type { Sighting } from '../../nostr/relays/publisher';
import type { SignerCall } from '../../nostr/signers/signer';
import type { ActivityDependencies } from '../dependencies';
import { fingerprintOf } from './fingerprint';
import { type Forced, isForced } from './force';
import { judgeSeal } from './judge-seal';
import { requireType } from './read-state';
import { relayIdentity } from './relay-identity';
import { tooLargeForRelays } from './relay-limits';
import type { SignerLoan } from './use-signer';

/** A document of a machine with a key, and the newest seal of its address as it was just read. */
interface SealableRow extends Omit<AttemptRow, 'atmPubkey' | 'earlier'> {
  atmPubkey: string;
  earlier: EarlierSeal | undefined;
}

interface Sealed {
  row: DocumentRow;
  /** What the relays had at the address a moment ago. */
  seen: Map<string, Sighting>;
}

/** Runs that are started past the one workflow id of an operator may race for an address; a loser tries again. */
const MAX_RACES = 5;

/**
 * Fixes the event of a document, and with it the event id, before anybody is asked to sign: the state as Postgres has it
 * now, encrypted to the machine, dated behind everything that stands at the address. Where an earlier run has signed the
 * same state and nothing newer stands there, its event is taken again and no signer is needed.
 *
 * The seal that stands is returned; when two attempts race, it may be the other's.
 */
export async function seal(
  deps: ActivityDependencies,
  row: AttemptRow,
  forced: Forced,
  signerCall: SignerCall,
  loan: SignerLoan,
): Promise<Sealed> {
  const { documentType, machineId, operatorPubkey, atmPubkey } = row;
  if (atmPubkey === null) {
    throw new RepublishError('MachineKeyInvalid', `machine ${machineId} has no usable machine_npub`);
  }
  let earlier = row.earlier ?? undefined;
  for (let attempt = 1; attempt <= MAX_RACES; attempt += 1) {
    const sealed = await sealOnce(deps, { ...row, atmPubkey, earlier }, forced, signerCall, loan);
    if (sealed !== undefined) return sealed;
    earlier = await newestSeal(deps.database, { operatorPubkey, documentType, atmPubkey }, row.runId);
  }
  throw new RepublishError('Unexpected', 'other runs keep sealing the same document');
}

/** Undefined when another run has sealed the address at a later date meanwhile: ours must not be dated before it. */
async function sealOnce(
  deps: ActivityDependencies,
  row: SealableRow,
  forced: Forced,
  signerCall: SignerCall,
  loan: SignerLoan,
): Promise<Sealed | undefined> {
  const { documentType, machineId, operatorUserId, operatorPubkey, atmPubkey, earlier } = row;
  const address = { kind: DOCUMENT_KIND, pubkey: operatorPubkey, d: dTag(documentType, atmPubkey) };

  // The order matters. A save of the operator's is in Postgres before it is on a relay: read after the relays, the state
  // is at least as new as any event seen there, and a save that is not in it will be dated behind ours.
  const nowS = Math.floor(Date.now() / 1000);
  const seen = await deps.publisher.look(
    address,
    relayIdentity(deps, operatorUserId, operatorPubkey, signerCall),
  );
  const state = await deps.readState(documentType, machineId);
  if (state === undefined) {
    throw new RepublishError(
      'StateInvalid',
      `${documentType} of machine ${machineId}: its state was removed during the run`,
    );
  }
  const { plaintext } = state;
  const tags = tagsOf(requireType(deps, documentType), atmPubkey);
  const tooLarge = await tooLargeForRelays(deps, tags, plaintext);
  if (tooLarge !== undefined) {
    throw new RepublishError('StateTooLarge', `${documentType} of machine ${machineId}: ${tooLarge}`);
  }
  const stateFingerprint = fingerprintOf(deps.fingerprintKey, plaintext);
  const sealWith = async (event: SealedEvent, signature: string | null): Promise<Sealed | undefined> => {
    const sealed = await deps.ledger.seal(row, { event, stateFingerprint, signature });
    return sealed && { row: sealed, seen };
  };

  const verdict = await judgeSeal(deps, {
    d: address.d,
    seen,
    earlier,
    stateFingerprint,
    force: isForced(deps, documentType, forced),
    nowS,
  });
  if (verdict.kind === 'reuse') return sealWith(verdict.event, verdict.signature);
  const content = await loan.use((signer) => signer.nip44Encrypt(atmPubkey, plaintext, signerCall));
  deps.failpoint('after-encrypt');
  const unsigned = {
    pubkey: operatorPubkey,
    kind: DOCUMENT_KIND,
    created_at: verdict.createdAtS,
    tags,
    content,
  };
  return sealWith({ id: eventId(unsigned), ...unsigned }, null);
}
