import type { Seen, Sent } from '../../nostr/relays/seen';
import type { SignedEvent } from '../../nostr/events';
import type { SweptRelay } from '../../rules/sweep';

/**
 * What relays replied to the events of one sweep. A relay that did not answer a question may have restarted
 * without its events. From then on its earlier replies do not count, for any document.
 */
export class Replies {
  /** By event id. Times are of `performance.now()`, from before the EVENT. */
  readonly #sent = new Map<string, { atMs: number; replies: Sent }>();
  /** By URL: the last time at which a relay did not answer. */
  readonly #silentAtMs = new Map<string, number>();

  /** @param replies late ones are added to it */
  noteSent({ id }: SignedEvent, atMs: number, replies: Sent): void {
    this.#sent.set(id, { atMs, replies });
  }

  /** A relay that was not asked, since it takes questions slowly, was not silent. */
  noteSilences(seen: Seen): void {
    for (const [url, sighting] of seen)
      if (sighting.kind === 'unknown' && sighting.heldback === undefined)
        this.#silentAtMs.set(url, performance.now());
  }

  /** By URL. */
  with({ id }: SignedEvent, seen: Seen): Map<string, SweptRelay<SignedEvent>> {
    const sent = this.#sent.get(id);
    return new Map(
      [...seen].map(([url, shown]) => {
        const silentAtMs = this.#silentAtMs.get(url);
        const counts = sent !== undefined && sent.atMs > (silentAtMs ?? 0);
        return [
          url,
          { shown, sent: counts ? sent.replies.get(url) : undefined, wasSilent: silentAtMs !== undefined },
        ];
      }),
    );
  }
}
