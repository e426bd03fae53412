import type { RepublishDocumentInput } from '../../contract/activities';
import { RepublishError } from '../../contract/failures';
import { type DocumentRow, newestSeal, sealDocument } from '../../database/ledger/documents';
import { DOCUMENT_KIND, dTag } from '../../documents/document-type';
import { eventId, isNewer, type SignedEvent } from '../../nostr/events';
import type { Sighting } from '../../nostr/relays/publisher';
import type { ActivityDependencies } from '../dependencies';
import { fingerprintOf } from './fingerprint';
import { readState } from './read-state';
import { useSigner } from './use-signer';

/** Relays refuse events that are dated further ahead than this (strfry's default). */
const MAX_AHEAD_S = 900;

/**
 * Fixes the event of a document, and with it the event id, before anybody is asked to sign: the state as Postgres has it
 * now, encrypted to the machine, dated behind everything that stands at the address. Where an earlier run has signed the
 * same state and nothing newer stands there, its event is taken again and no signer is needed.
 *
 * The seal that stands is returned; when two attempts race, it may be the other's.
 */
export async function seal(
  deps: ActivityDependencies,
  input: RepublishDocumentInput,
  row: DocumentRow & { operatorUserId: string },
  signal: AbortSignal,
): Promise<{ row: DocumentRow; seen: Map<string, Sighting> }> {
  const { documentType, machineId } = input;
  const { operatorUserId, operatorPubkey, atmPubkey } = row;
  if (atmPubkey === null)
    throw new RepublishError('MachineKeyInvalid', `machine ${machineId} has no usable atm_pubkey`);
  const plaintext = await readState(deps, documentType, machineId);
  if (plaintext === undefined) {
    throw new RepublishError(
      'StateInvalid',
      `the state of ${documentType} of machine ${machineId} was removed during the run`,
    );
  }
  const stateFingerprint = fingerprintOf(deps.fingerprintKey, plaintext);

  const address = { kind: DOCUMENT_KIND, pubkey: operatorPubkey, d: dTag(documentType, atmPubkey) };
  const [seen, earlier] = await Promise.all([
    deps.publisher.look(address),
    newestSeal(deps.database, { operatorPubkey, documentType, atmPubkey }, input.runId),
  ]);
  const standing = newestOf(seen);

  const sealWith = async (event: NonNullable<DocumentRow['event']>, signature: string | null) => {
    const sealed = await sealDocument(deps.database, input, { event, stateFingerprint, signature });
    if (sealed === undefined) throw new RepublishError('Unexpected', 'the document vanished from the ledger');
    return { row: sealed, seen };
  };

  const reusable =
    !input.force &&
    earlier?.event &&
    earlier.signature !== null &&
    earlier.stateFingerprint === stateFingerprint;
  if (reusable && earlier.event && !(standing && isNewer(standing, earlier.event))) {
    return sealWith(earlier.event, earlier.signature);
  }

  const nowS = Math.floor(Date.now() / 1000);
  const createdAtS = Math.max(nowS, (standing?.created_at ?? 0) + 1, (earlier?.event?.created_at ?? 0) + 1);
  if (createdAtS > nowS + MAX_AHEAD_S) {
    const date = new Date((createdAtS - 1) * 1000).toISOString();
    throw new RepublishError(
      'NewerDocumentExists',
      `the document at ${address.d} is dated ${date}; relays refuse dates more than 15 minutes ahead`,
    );
  }
  const content = await useSigner(deps, operatorUserId, operatorPubkey, (signer) =>
    signer.nip44Encrypt(atmPubkey, plaintext, { signal }),
  );
  const unsigned = {
    pubkey: operatorPubkey,
    kind: DOCUMENT_KIND,
    created_at: createdAtS,
    tags: [['d', address.d]],
    content,
  };
  return sealWith({ id: eventId(unsigned), ...unsigned }, null);
}

function newestOf(seen: Map<string, Sighting>): SignedEvent | undefined {
  let newest: SignedEvent | undefined;
  for (const sighting of seen.values()) {
    if (sighting.kind === 'event' && (newest === undefined || isNewer(sighting.event, newest)))
      newest = sighting.event;
  }
  return newest;
}
