import { ensureError } from '../../contract/failures';
import type { RelayStanding } from '../../contract/relay-standing';
import { withLastWords } from '../../rules/last-words';
import {
  canNeverAnswer,
  decidedBy,
  haveAnswered,
  type HeldbackBy,
  placementOf,
  type Quorum,
  quorumSize,
  waitedFor,
} from '../../rules/quorum';
import { isRefusedFinally, needsReadBack } from '../../rules/read-back';
import type { SignedEvent } from '../events';
import { DirectRelay } from './direct';
import type { DocumentRelay, LookedAt, SendReply, Sighting } from './document-relay';
import type { RelayIdentity } from './identity';
import { NostrclientRelay } from './nostrclient';
import { RelayPacer } from './relay-pacer';
import { plainText } from './plain-text';
import type { RelayPool } from './pool';
import { RelayInformation, type RelayLimits } from './relay-information';
import { Laggards, Round } from './round';
import type { Placement, Seen, Sent, SentDocument } from './seen';
import { isGateway, shownAmong } from './url';

export interface PublisherOptions {
  pool: RelayPool;
  /** Normalised relay URLs. */
  relays: readonly string[];
  quorum: Quorum;
  /** Most time for one question to one relay. */
  replyTimeoutMs: number;
  /** Called for each relay, by its shown name, with where a document stands on it. */
  onStanding?(relay: string, state: RelayStanding['state']): void;
}

const GRACE = { ms: 1_000, forLaggardsMs: 250 };
/** No wait for slow relays: once a quorum has taken an event, it can be read back there. */
const SEND_GRACE = { ms: 1_000, forLaggardsMs: 0 };

/**
 * Sends documents to the relays and says where they stand. Only a read-back proves that: a relay may say OK
 * and not store an event, or store it and send no OK.
 */
export class RelayPublisher {
  readonly required: number;
  #relays: Map<string, DocumentRelay>;
  readonly #pacers: Map<string, RelayPacer>;
  /** Shown names by URL. They are cached: each document needs each name several times. */
  #names: Map<string, string>;
  #information = new RelayInformation();
  #laggards = new Laggards();

  constructor(private readonly options: PublisherOptions) {
    const { pool, replyTimeoutMs } = options;
    this.required = quorumSize(options.quorum, options.relays.length);
    this.#names = new Map(options.relays.map((url) => [url, shownAmong(url, options.relays)]));
    this.#pacers = new Map(options.relays.map((url) => [url, new RelayPacer()]));
    this.#relays = new Map(
      options.relays.map((url) => {
        const Relay = isGateway(url) ? NostrclientRelay : DirectRelay;
        const known = (): RelayLimits | undefined => this.#information.knownLimitsOf(url);
        return [
          url,
          new Relay(pool, {
            url,
            replyTimeoutMs,
            pacer: this.#pacers.get(url) as RelayPacer,
            isAuthRequired: () => known()?.authRequired === true,
            maxFilters: () => known()?.maxFilters,
          }),
        ];
      }),
    );
  }

  /** A relay's name as it may be shown. */
  nameOf(url: string): string {
    return this.#names.get(url) ?? shownAmong(url, this.options.relays);
  }

  /** Ends open questions for limits. The pool belongs to its owner. */
  close(): void {
    this.#information.close();
  }

  /** The limits of each relay (NIP-11), by shown name. */
  async limits(): Promise<Record<string, RelayLimits>> {
    return Object.fromEntries(
      await Promise.all(
        [...this.#names].map(
          async ([url, name]) =>
            [name, await this.#information.limitsOf(url)] satisfies [string, RelayLimits],
        ),
      ),
    );
  }

  /**
   * Why a quorum would refuse an event, by the limits of the relays; undefined when a quorum takes it.
   *
   * @param objection why one relay would refuse it
   * @param eventId of an event that relays may have already
   * @param seen what they have at its address
   */
  async impossibleBecause(
    objection: (limits: RelayLimits) => string | undefined,
    { eventId, seen }: { eventId?: string; seen?: Seen } = {},
  ): Promise<string | undefined> {
    const holders = new Set(
      [...(seen ?? [])].flatMap(([url, sighting]) =>
        sighting.kind === 'event' && sighting.event.id === eventId ? [this.nameOf(url)] : [],
      ),
    );
    const objections = Object.entries(await this.limits()).flatMap(([relay, limits]) => {
      const reason = holders.has(relay) ? undefined : objection(limits);
      return reason === undefined ? [] : [`${relay} ${reason}`];
    });
    return this.options.relays.length - objections.length < this.required ? objections.join('; ') : undefined;
  }

  /** Whether a quorum of relays has answered a look. */
  hasQuorum(seen: Seen): boolean {
    return haveAnswered(seen.values(), this.required);
  }

  /** Whether so many relays do not let us in that a quorum can never answer. */
  isHopeless(seen: Seen): boolean {
    return canNeverAnswer(seen.values(), { relays: this.options.relays.length, required: this.required });
  }

  /**
   * The relay to wait for, where a quorum needs a relay that takes events or questions slowly.
   *
   * @param replies the answers so far
   * @param have how many other relays count already
   */
  waitsFor(replies: Seen | Sent, have: number): HeldbackBy | undefined {
    const heldback = [...replies].flatMap(([url, reply]) =>
      'heldback' in reply && reply.heldback ? [{ relay: this.nameOf(url), ...reply.heldback }] : [],
    );
    return waitedFor(heldback, this.required - have);
  }

  /** How many events a quorum of relays takes now, and the relay that the next event waits for. */
  roomForEvents(): { room: number; waitsFor?: HeldbackBy | undefined } {
    const pacers = [...this.#pacers];
    const rooms = pacers.map(([, pacer]) => pacer.room('events')).sort((a, b) => b - a);
    const room = rooms[this.required - 1] ?? Infinity;
    if (room === Infinity) return { room };
    const heldback = pacers.flatMap(([url, pacer]) =>
      pacer.isLimited('events') ? [{ relay: this.nameOf(url), ...pacer.heldback('events') }] : [],
    );
    return { room, waitsFor: waitedFor(heldback, this.required - (pacers.length - heldback.length)) };
  }

  /**
   * Asks every relay what it has at these addresses. The answers are in their order. Never rejects. After a
   * quorum has answered, the others have a moment more: a relay that takes connections and never answers
   * would delay every document.
   *
   * @param until `all`: waits for each relay until its time is over, since a slow one may be the one that
   *   has it
   */
  async look(
    addresses: readonly LookedAt[],
    identity?: RelayIdentity,
    until: 'quorum' | 'all' = 'quorum',
  ): Promise<Seen[]> {
    const sightings = addresses.map(() => new Map<string, Sighting>());
    const enough = until === 'all' ? this.#relays.size : this.required;
    const round = new Round(this.#relays.keys(), addresses.length, enough, this.#laggards);
    await round.ask(
      (url) =>
        this.#relay(url).look(addresses, { identity }, (index, sighting) => {
          sightings[index]?.set(url, sighting);
          if (sighting.kind === 'unknown') return;
          round.heard(url);
          round.answered(index);
        }),
      GRACE,
    );
    // A copy: later answers do not change it.
    return sightings.map(
      (seen) => new Map(this.options.relays.map((url) => [url, seen.get(url) ?? this.#noAnswerYet(url)])),
    );
  }

  /**
   * Sends a signed event to the relays that have neither it nor a newer one. Resolves when they have replied,
   * or a moment after the EVENT. Never rejects. The same bytes may be sent any number of times. `confirm`
   * finds out what the relays hold.
   */
  async send(
    event: SignedEvent,
    { seen, identity }: { seen?: Seen | undefined; identity?: RelayIdentity | undefined } = {},
  ): Promise<Sent> {
    const sent = new Map<string, SendReply>();
    const urls = this.options.relays.filter((url) => decidedBy(seen?.get(url), event) === undefined);
    const lacking = this.required - (this.options.relays.length - urls.length);
    const round = new Round(urls, 1, Math.max(0, lacking), this.#laggards);
    await round.ask(async (url) => {
      const onLate = (reply: SendReply): void => void sent.set(url, reply);
      const reply = await this.#relay(url)
        .send(event, { identity }, onLate)
        .catch((thrown: unknown): SendReply => ({ kind: 'lost', reason: reasonOf(thrown) }));
      sent.set(url, reply);
      if (reply.kind === 'ok' || reply.kind === 'refused' || reply.kind === 'heldback') round.heard(url);
      if (reply.kind === 'ok') round.answered(0);
      if (reply.kind === 'silent') this.#laggards.add(url);
    }, SEND_GRACE);
    for (const url of urls) if (!sent.has(url)) sent.set(url, { kind: 'silent' });
    return sent;
  }

  /**
   * Reads back what was sent, and says where it stands, in the same order. Never rejects: failures are in the
   * standing of each relay. The proof is a REQ that is younger than the relay's OK.
   */
  async confirm(sent: readonly SentDocument[], identity?: RelayIdentity): Promise<Placement[]> {
    const confirmed = sent.map(() => new Map<string, Sighting>());
    const round = new Round(this.#relays.keys(), sent.length, this.required, this.#laggards);
    const size = { relays: this.options.relays.length, required: this.required };
    for (const [index, each] of sent.entries()) {
      for (const sighting of each.seen?.values() ?? [])
        if (decidedBy(sighting, each.event)) round.answered(index);
      // No quorum is possible any more: the other relays have a moment, and are not waited for.
      if (isRefusedFinally(each.sent?.values() ?? [], size))
        for (let good = 0; good < this.required; good += 1) round.answered(index);
    }
    await round.ask(async (url) => {
      const open = [...sent.entries()].filter(([, { event, seen, sent: replies }]) =>
        needsReadBack(event, { seen: seen?.get(url), sent: replies?.get(url) }),
      );
      await this.#relay(url).confirm(
        open.map(([, each]) => ({ event: each.event, reply: () => each.sent?.get(url) })),
        { identity },
        (place, sighting) => {
          const [index, { event }] = open[place] as [number, SentDocument];
          if (sighting.kind !== 'unknown') round.heard(url);
          const before = confirmed[index]?.get(url);
          // A relay that showed it once holds it.
          if (decidedBy(before, event) !== undefined) return;
          confirmed[index]?.set(url, sighting);
          if (decidedBy(sighting, event) !== undefined) round.answered(index);
        },
      );
    }, GRACE);
    return sent.map((each, index) => this.#placement(each, confirmed[index] ?? new Map()));
  }

  #placement({ event, seen, sent }: SentDocument, confirmed: Seen): Placement {
    const evidence = [...this.#names].map(
      ([url, name]) =>
        [
          name,
          {
            seen: seen?.get(url),
            sent: sent?.get(url),
            confirmed: confirmed.get(url) ?? this.#noAnswerYet(url),
          },
        ] as const,
    );
    const placement = placementOf(event, evidence, this.required);
    for (const [name, { state }] of Object.entries(placement.relays)) this.options.onStanding?.(name, state);
    return placement;
  }

  #noAnswerYet(url: string): Sighting {
    return { kind: 'unknown', reason: withLastWords('no answer yet', this.#relay(url).lastWords?.()) };
  }

  #relay(url: string): DocumentRelay {
    return this.#relays.get(url) as DocumentRelay;
  }
}

function reasonOf(thrown: unknown): string {
  return plainText(ensureError(thrown).message);
}
