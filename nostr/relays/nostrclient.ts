import { onTimeout, sleep } from '../../async/wait';
import { decidedBy } from '../../rules/quorum';
import { isAt, isAuthentic, isSameEvent, type SignedEvent } from '../events';
import { AddressReader, filterOf, inParts } from './address-reader';
import type { RelayConnection } from './connection';
import {
  type Asking,
  type DocumentRelay,
  type DocumentRelayOptions,
  type LookedAt,
  newestAt,
  type SendReply,
  type SentEvent,
  type Sighting,
  type Tell,
  type Wanted,
  wantedAt,
  wantedOf,
} from './document-relay';
import { silentGateway } from './gateway-problems';
import type { RelayPool } from './pool';
import { Questions } from './questions';

/**
 * Each EOSE is from one relay. The others behind the gateway have this long to answer: the gateway looks for
 * answers every 200 ms and passes them on every 100 ms, so two answers can come 300 ms apart.
 */
const AFTER_EOSE_MS = 600;
/** After the event is seen, a newer one has this long to come from another relay. */
const AFTER_EVENT_MS = 300;
/** A question without EOSE is asked again: the gateway loses what it sends into a dying connection. */
const FRESH_QUESTION_MS = 2_000;
/** An event that is not seen by then is sent again: it may be lost in a queue of the gateway. */
const SEND_AGAIN_MS = 2_000;
const PAUSE_MS = 100;
/** Most different events that are read for one address. */
const MAX_EVENTS = 100;
const CONNECTION_CLOSED = 'the gateway closed the connection (is LNbits up, and Nostr Client switched on?)';

/**
 * The nostrclient extension of LNbits: one websocket in front of several relays. It takes REQ, CLOSE and
 * EVENT, and returns EVENT and one EOSE per relay. It sends no OK; one of a future version would be no proof,
 * so it is not read. EOSE without the event says only that one relay does not have it. What counts is the
 * event itself, in a subscription that is younger than the EVENT.
 */
export class NostrclientRelay implements DocumentRelay {
  readonly #questions: Questions;
  readonly #reader: AddressReader;

  constructor(
    private readonly pool: RelayPool,
    private readonly options: DocumentRelayOptions,
  ) {
    const { replyTimeoutMs: timeoutMs } = options;
    this.#questions = new Questions(timeoutMs);
    this.#reader = new AddressReader({ questions: this.#questions, timeoutMs });
  }

  async look(addresses: readonly LookedAt[], _: Asking, tell: Tell): Promise<void> {
    await this.#reader.read(
      wantedAt(addresses),
      async (wanted, forMs) => {
        const connection = await this.pool.get(this.options.url);
        return { sightings: await collect(connection, wanted, { forMs, afterEoseMs: AFTER_EOSE_MS }) };
      },
      ({ index }, sighting) => tell(index, sighting),
    );
  }

  /** A gateway sends no reply. */
  async send(event: SignedEvent): Promise<SendReply> {
    const connection = await this.pool.get(this.options.url);
    return connection.send(event) ? { kind: 'forwarded' } : { kind: 'lost', reason: CONNECTION_CLOSED };
  }

  async confirm(sent: readonly SentEvent[], _: Asking, tell: Tell): Promise<void> {
    const all = wantedOf(sent).map((each, index) => ({ ...each, index }));
    await Promise.all(
      inParts(all, this.#reader.filtersPerRequest()).map(async (part) => {
        const sightings = await this.#questions.ask(part.length, () => this.#untilSeen(part, tell));
        for (const [index, sighting] of (sightings ?? []).entries()) tell(part[index]?.index ?? 0, sighting);
      }),
    );
  }

  /**
   * Asks until each event or a newer one is seen, or the time is over. It sends events again that may be
   * lost.
   */
  async #untilSeen(sent: readonly Confirmed[], tell: Tell): Promise<Sighting[]> {
    const connection = await this.pool.get(this.options.url);
    const decided = new Map<Confirmed, Sighting>();
    /** For undecided events: whether anything was heard, and whether that was an older document. */
    const heard = new Map<Confirmed, Sighting['kind']>();
    const deadlineMs = Date.now() + this.options.replyTimeoutMs;
    let sentAtMs = Date.now();
    let open = [...sent];
    // Each question listens longer than the one before. Otherwise a relay that is slower than the first EOSE
    // would never be heard.
    for (let afterEoseMs = AFTER_EOSE_MS; open.length > 0 && Date.now() < deadlineMs; afterEoseMs *= 2) {
      if (Date.now() - sentAtMs >= SEND_AGAIN_MS) {
        for (const { event, reply } of open) if (reply()?.kind === 'forwarded') connection.send(event);
        sentAtMs = Date.now();
      }
      const leftMs = deadlineMs - Date.now();
      const forMs = Math.min(leftMs, Math.max(FRESH_QUESTION_MS, 2 * afterEoseMs));
      const sightings = await collect(connection, open, { forMs, afterEoseMs });
      for (const [index, each] of open.entries()) {
        const sighting = sightings[index] as Sighting;
        if (decidedBy(sighting, each.event) !== undefined) {
          decided.set(each, sighting);
          tell(each.index, sighting);
        } else if (sighting.kind !== 'unknown' && heard.get(each) !== 'event') heard.set(each, sighting.kind);
      }
      open = open.filter((each) => !decided.has(each));
      if (open.length > 0) await sleep(Math.min(PAUSE_MS, Math.max(0, deadlineMs - Date.now())));
    }
    return sent.map((each) => decided.get(each) ?? this.#notSeen(heard.get(each)));
  }

  /** Never "absent" or "older": a relay behind the gateway that did not answer may have the event. */
  #notSeen(heard: Sighting['kind'] | undefined): Sighting {
    // Nothing was heard. The gateway reconnects its relays automatically, or a person does it in LNbits.
    if (heard === undefined) return silence();
    const reason = `not seen through the gateway within ${this.options.replyTimeoutMs} ms`;
    return { kind: 'unknown', reason: heard === 'event' ? `${reason}, only an older document` : reason };
  }
}

type Confirmed = SentEvent & Wanted & { index: number; event: SignedEvent };

function silence(): Sighting {
  return { kind: 'unknown', reason: silentGateway().message, isSilent: true, returnsLater: true };
}

interface Patience {
  forMs: number;
  afterEoseMs: number;
}

/**
 * Asks in a subscription of its own, and takes the newest events. It ends early once all wanted events, or
 * newer ones, are seen. Rejects when the connection is lost.
 */
function collect(
  connection: RelayConnection,
  wanted: readonly Wanted[],
  { forMs, afterEoseMs }: Patience,
): Promise<Sighting[]> {
  return new Promise((resolve, reject) => {
    const events = new Map<string, SignedEvent>();
    const awaited = new Set(wanted);
    const lastMs = Date.now() + forMs;
    let hasAnswered = false;
    const end = (): void => {
      stopTime();
      subscription.close();
      const sightings = wanted.map((each) => newestAt(each, [...events.values()]));
      resolve(
        sightings.map((sighting) =>
          sighting.kind !== 'nothing' ? sighting : hasAnswered ? { kind: 'unseen' } : silence(),
        ),
      );
    };
    let stopTime: () => void = () => undefined;
    const endIn = (ms: number): void => {
      stopTime();
      stopTime = onTimeout(Math.min(ms, lastMs - Date.now()), end);
    };
    endIn(forMs);
    const subscription = connection.subscribe(wanted.map(filterOf), {
      onEvent: (event) => {
        if (events.size >= MAX_EVENTS * wanted.length) return;
        // Several relays send the same event.
        const text = JSON.stringify(event);
        if (events.has(text)) return;
        events.set(text, event);
        if (awaited.size === 0) return;
        for (const each of awaited) if (isDecidedBy(event, each)) awaited.delete(each);
        if (awaited.size === 0) endIn(AFTER_EVENT_MS);
      },
      onEose: () => {
        hasAnswered = true;
        // Another relay has answered. The others have their time from now on.
        if (awaited.size > 0) endIn(afterEoseMs);
      },
      onClosed: end,
      // The network's reason does not help: a gateway that stops gives none.
      onLost: () => {
        stopTime();
        reject(new Error(CONNECTION_CLOSED));
      },
    });
  });
}

function isDecidedBy(event: SignedEvent, { address, event: own }: Wanted): boolean {
  if (own === undefined || !isAt(address, event)) return false;
  if (isSameEvent(event, own)) return true;
  return decidedBy({ kind: 'event', event }, own) !== undefined && isAuthentic(event);
}
