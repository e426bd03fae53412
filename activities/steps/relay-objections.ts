import { DOCUMENT_KIND } from '../../documents/document-type';
import { excessOf, type MessageSize, messageSize } from '../../nostr/message-size';
import { nip44PayloadLength } from '../../nostr/nip44';
import type { RelayPublisher } from '../../nostr/relays/publisher';
import type { RelayLimits } from '../../nostr/relays/relay-information';
import type { Seen } from '../../nostr/relays/seen';
import { type CurrentSigner, isOfBunker } from '../../nostr/signers/keyring';
import type { ReadOnlyDependencies } from '../dependencies';

/** Says whether enough relays would take something. */
export interface RelayLimitsKnown {
  publisher: Pick<RelayPublisher, 'impossibleBecause'>;
}

/**
 * Why too few relays would take the document for its size (NIP-11), before it is encrypted. Undefined: enough
 * do.
 */
export function tooLargeForRelays(
  deps: RelayLimitsKnown,
  tags: string[][],
  plaintext: string,
): Promise<string | undefined> {
  const size = sizeOfDocument(tags, Buffer.byteLength(plaintext, 'utf8'));
  return deps.publisher.impossibleBecause((limits) => {
    const excess = excessOf(size, limits);
    if (excess === undefined) return undefined;
    return excess.limit === 'content'
      ? `${excess.takes}, this document has ${excess.size} when encrypted`
      : `${excess.takes}, this document makes one of ${excess.size}`;
  });
}

/** The same for the relays of the operator's bunker. Undefined also where the signer is no bunker. */
export async function tooLargeForBunker(
  deps: Pick<ReadOnlyDependencies, 'bunkerRelays'>,
  signer: CurrentSigner | undefined,
  { tags, plaintext }: { tags: string[][]; plaintext: string },
): Promise<string | undefined> {
  if (signer === undefined || !isOfBunker(signer)) return undefined;
  return deps.bunkerRelays.tooLarge(signer, tags, plaintext);
}

/** Why too few relays would take a document of this date (NIP-11 `created_at_upper_limit`). */
export function tooFarAheadForRelays(deps: RelayLimitsKnown, aheadS: number): Promise<string | undefined> {
  return deps.publisher.impossibleBecause(({ maxAheadS }: RelayLimits) =>
    maxAheadS !== undefined && aheadS > maxAheadS
      ? `takes events dated up to ${maxAheadS} s ahead, this one has to be dated ${aheadS} s ahead`
      : undefined,
  );
}

/** Why too few relays have or would take an event of this date (NIP-11 `created_at_lower_limit`). */
export function tooOldForRelays(
  deps: RelayLimitsKnown,
  { id: eventId, created_at }: { id: string; created_at: number },
  { seen, nowS }: { seen: Seen; nowS: number },
): Promise<string | undefined> {
  const behindS = nowS - created_at;
  return deps.publisher.impossibleBecause(
    ({ maxBehindS }: RelayLimits) =>
      maxBehindS !== undefined && behindS > maxBehindS
        ? `takes events dated up to ${maxBehindS} s back, this one is dated ${behindS} s back`
        : undefined,
    { eventId, seen },
  );
}

/**
 * The size of a document after encryption and signature. NIP-44 pads, so the plaintext's length decides it.
 */
export function sizeOfDocument(tags: string[][], plaintextBytes: number): MessageSize {
  return messageSize(DOCUMENT_KIND, tags, nip44PayloadLength(plaintextBytes));
}
