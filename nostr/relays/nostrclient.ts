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
import { silentGateway } from './gateway-problems';
import type { RelayPool } from './pool';

/**
 * Each EOSE is one relay's; the others behind the gateway have this long to answer. It looks for answers every 200 ms, and
 * hands them on every 100 ms: what two relays say at once can come 300 ms apart.
 */
const AFTER_EOSE_MS = 600;
/** When the event is seen, a newer one has this long to come from another relay. */
const AFTER_EVENT_MS = 300;
/** A question whose EOSE does not come is asked again: the gateway loses what it sends into a dying connection. */
const FRESH_QUESTION_MS = 2_000;
/** So is an event that is not seen by then: it may be lost in a queue that nobody works off. */
const SEND_AGAIN_MS = 2_000;
const PAUSE_MS = 100;
/** How often the connection is looked at: it tells a subscription nothing when it is lost. */
const TICK_MS = 20;
/** More different events at one address than these are a flood. */
const MAX_EVENTS = 100;

/**
 * The nostrclient extension of LNbits: one websocket in front of several relays. It takes REQ, CLOSE and EVENT, and
 * returns EVENT and the EOSE of each relay. There is no OK (one that a future version may send is no proof, so it
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
    let sentAtMs = 0;
    const deadlineMs = Date.now() + this.options.replyTimeoutMs;
    const heard = new Set<Sighting['kind']>();
    // Each question waits longer than the one before: a relay slower than the first EOSE would never be heard.
    for (let afterEoseMs = AFTER_EOSE_MS; Date.now() < deadlineMs; afterEoseMs *= 2) {
      if (Date.now() - sentAtMs >= SEND_AGAIN_MS) {
        connection.send(event);
        sentAtMs = Date.now();
      }
      const leftMs = deadlineMs - Date.now();
      const forMs = Math.min(leftMs, Math.max(FRESH_QUESTION_MS, 2 * afterEoseMs));
      const after = await collect(connection, address, { forMs, afterEoseMs, awaited: event });
      const decided = decidedBy(after, event);
      if (decided !== undefined) return decided;
      heard.add(after.kind);
      await sleep(Math.min(PAUSE_MS, Math.max(0, deadlineMs - Date.now())));
    }
    return this.#notSeen(heard);
  }

  /** Never "absent", and not even "older": a relay behind the gateway that did not answer may well have it. */
  #notSeen(heard: ReadonlySet<Sighting['kind']>): Placed {
    // Nothing at all was heard. What the gateway has lost comes back by itself, or by somebody's hand in LNbits.
    if (!heard.has('unseen') && !heard.has('event'))
      return {
        standing: { state: 'unreachable', detail: silentGateway().message },
        returnsLater: true,
      };
    const detail = `not seen through the gateway within ${this.options.replyTimeoutMs} ms`;
    return {
      standing: {
        state: 'unreachable',
        detail: heard.has('event') ? `${detail}, only an older document` : detail,
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
  const lastMs = Date.now() + forMs;
  let endMs = lastMs;
  let answered = false;
  let isDecided = false;
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
        if (!decides || isDecided || !isAuthentic(event)) return;
        isDecided = true;
        endIn(AFTER_EVENT_MS);
      },
      onEose: () => {
        answered = true;
        // One relay more has answered, and the others have their time from now.
        if (!isDecided) endMs = Math.min(lastMs, Date.now() + afterEoseMs);
      },
      onClosed: () => endIn(0),
    },
  );
  while (Date.now() < endMs && connection.isOpen) await sleep(Math.min(TICK_MS, endMs - Date.now()));
  subscription.close();
  // The network's reason is not known here, and a gateway that stops closes without one.
  if (!connection.isOpen)
    throw new Error('the gateway closed the connection (is LNbits up, and Nostr Client switched on?)');
  const newest = newestAt(address, [...events.values()]);
  if (newest.kind !== 'nothing') return newest;
  return answered ? { kind: 'unseen' } : { kind: 'unknown', reason: silentGateway().message, isSilent: true };
}
