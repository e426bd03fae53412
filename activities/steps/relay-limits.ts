import { DOCUMENT_KIND } from '../../documents/document-type';
import { excessOf, type MessageSize, messageSize } from '../../nostr/message-size';
import { nip44PayloadLength } from '../../nostr/nip44';
import type { RelayLimits, Seen } from '../../nostr/relays/publisher';
import { type CurrentSigner, isOfBunker } from '../../nostr/signers/keyring';
import type { ReadOnlyDependencies } from '../dependencies';

/**
 * Why too few relays would take the document for its size (NIP-11), before anything is encrypted; undefined
 * when enough do.
 */
export function tooLargeForRelays(
  deps: ReadOnlyDependencies,
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

/** The same for the way to the operator's bunker; undefined also where no signer of theirs asks one. */
export async function tooLargeForBunker(
  deps: Pick<ReadOnlyDependencies, 'bunkerRelays'>,
  signer: CurrentSigner | undefined,
  { tags, plaintext }: { tags: string[][]; plaintext: string },
): Promise<string | undefined> {
  if (signer === undefined || !isOfBunker(signer)) return undefined;
  return deps.bunkerRelays.tooLarge(signer, tags, plaintext);
}

/** Why too few relays would take a document of this date (NIP-11 `created_at_upper_limit`). */
export function tooFarAheadForRelays(
  deps: ReadOnlyDependencies,
  aheadS: number,
): Promise<string | undefined> {
  return deps.publisher.impossibleBecause(({ maxAheadS }: RelayLimits) =>
    maxAheadS !== undefined && aheadS > maxAheadS
      ? `takes events dated up to ${maxAheadS} s ahead, this one has to be dated ${aheadS} s ahead`
      : undefined,
  );
}

/** Why too few relays have or would take an event of this date (NIP-11 `created_at_lower_limit`). */
export function tooOldForRelays(
  deps: ReadOnlyDependencies,
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
 * What a document will weigh once it is encrypted and signed: NIP-44 pads, so it follows from the plaintext's
 * length alone.
 */
export function sizeOfDocument(tags: string[][], plaintextBytes: number): MessageSize {
  return messageSize(DOCUMENT_KIND, tags, nip44PayloadLength(plaintextBytes));
}
