import { setTimeout as sleep } from 'node:timers/promises';
import { type Address, isAt, isAuthentic, type SignedEvent } from '../events';
import type { RelayConnection } from './connection';
import {
  type Asking,
  decidedBefore,
  decidedBy,
  type DocumentRelay,
  type DocumentRelayOptions,
  newestAt,
  type Placed,
  type Sighting,
} from './document-relay';
import type { RelayPool } from './pool';

/** The first EOSE is one relay's; the others behind the gateway have this long to answer. */
const AFTER_EOSE_MS = 300;
/** A question whose EOSE does not come is asked again: the relay it went to may have been away. */
const FRESH_QUESTION_MS = 2_000;
const PAUSE_MS = 100;
/** How often the connection is looked at: it tells a subscription nothing when it is lost. */
const TICK_MS = 20;
/** More different events at one address than these are a flood. */
const MAX_EVENTS = 100;

/**
 * The nostrclient extension of LNbits: one websocket in front of several relays. It takes REQ, CLOSE and EVENT, and
 * returns EVENT and the first EOSE of any relay. There is no OK (one that a future version may send is no proof, so it
 * is not waited for and not read), and EOSE without the event says only that one relay does not have it: what counts is
 * the event itself, seen by a subscription that is younger than it.
 */
export class NostrclientRelay implements DocumentRelay {
  constructor(
    private readonly pool: RelayPool,
    private readonly options: DocumentRelayOptions,
  ) {}

  async look(address: Address): Promise<Sighting> {
    const connection = await this.pool.get(this.options.url);
    return collect(connection, address, { forMs: this.options.replyTimeoutMs, afterEoseMs: AFTER_EOSE_MS });
  }

  async place(event: SignedEvent, address: Address, { seen }: Asking = {}): Promise<Placed> {
    const before = decidedBefore(seen ?? (await this.look(address)), event);
    if (before !== undefined) return before;

    const connection = await this.pool.get(this.options.url);
    connection.send(event);
    const deadlineMs = Date.now() + this.options.replyTimeoutMs;
    let after: Sighting = { kind: 'unseen' };
    // Each question waits longer than the one before: a relay slower than the first EOSE would never be heard.
    for (let afterEoseMs = AFTER_EOSE_MS; Date.now() < deadlineMs; afterEoseMs *= 2) {
      const leftMs = deadlineMs - Date.now();
      const forMs = Math.min(leftMs, Math.max(FRESH_QUESTION_MS, 2 * afterEoseMs));
      after = await collect(connection, address, { forMs, afterEoseMs, awaited: event });
      const decided = decidedBy(after, event);
      if (decided !== undefined) return decided;
      await sleep(Math.min(PAUSE_MS, Math.max(0, deadlineMs - Date.now())));
    }
    // Never "absent", and not even "older": a relay behind the gateway that did not answer may well have it.
    const detail = `not seen through the gateway within ${this.options.replyTimeoutMs} ms`;
    return {
      standing: {
        state: 'unreachable',
        detail: after.kind === 'event' ? `${detail}, only an older document` : detail,
      },
    };
  }
}

interface Patience {
  forMs: number;
  afterEoseMs: number;
  /** When this event or a newer one is seen, not much is left to wait for. */
  awaited?: SignedEvent;
}

/** Asks with a subscription of its own, and takes the newest of what comes. Rejects when the connection is lost. */
async function collect(
  connection: RelayConnection,
  address: Address,
  { forMs, afterEoseMs, awaited }: Patience,
): Promise<Sighting> {
  const events = new Map<string, SignedEvent>();
  let endMs = Date.now() + forMs;
  let answered = false;
  const endIn = (ms: number): void => void (endMs = Math.min(endMs, Date.now() + ms));
  const subscription = connection.subscribe(
    [{ kinds: [address.kind], authors: [address.pubkey], '#d': [address.d] }],
    {
      onEvent: (event) => {
        if (!isAt(address, event) || events.size >= MAX_EVENTS) return;
        // Several relays send the same event.
        const text = JSON.stringify(event);
        if (events.has(text)) return;
        events.set(text, event);
        const decides = awaited && decidedBy({ kind: 'event', event }, awaited) !== undefined;
        if (decides && isAuthentic(event)) endIn(AFTER_EOSE_MS);
      },
      onEose: () => {
        answered = true;
        endIn(afterEoseMs);
      },
      onClosed: () => endIn(0),
    },
  );
  while (Date.now() < endMs && connection.isOpen) await sleep(Math.min(TICK_MS, endMs - Date.now()));
  subscription.close();
  // The network's reason is not known here, and a gateway closes without one: so it answers a ws_id it does not know.
  if (!connection.isOpen)
    throw new Error('the gateway closed the connection (is it up, and is the ws_id right?)');
  const newest = newestAt(address, [...events.values()]);
  if (newest.kind !== 'nothing') return newest;
  return answered ? { kind: 'unseen' } : { kind: 'unknown', reason: 'no answer to a read' };
}
