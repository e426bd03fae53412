import { sleep, within } from '../../async/wait';
import { decidedBy } from '../../rules/quorum';
import type { SignedEvent } from '../events';
import { AddressReader, type Answer, complainsOfFilters, filterOf, inParts } from './address-reader';
import type { PublishReply } from './frames';
import {
  answerOf,
  demandsIdentity,
  heldbackAnswer,
  isExpected,
  isShown,
  notAuthenticated,
  replyOf,
  silenceOn,
  unauthenticated,
} from './direct-answers';
import {
  type Asking,
  type DocumentRelay,
  type DocumentRelayOptions,
  type LookedAt,
  type SendReply,
  type SentEvent,
  type Sighting,
  type Tell,
  type Wanted,
  wantedAt,
  wantedOf,
} from './document-relay';
import { RelayAuth } from './relay-auth';
import type { RelayPool } from './pool';
import { Questions } from './questions';
import { type ReadOptions, readStored, wantsIdentity } from './read';
import { meaningOfRefusal, saysTooMuch } from './refusals';

/** How long an OK is waited for before the event is read back without it. */
const OK_MS = 1_000;
/** A relay may say OK a moment before its reads see the event. Pauses between the reads. */
const LOOK_AGAIN_MS = [50, 150, 400, 800];
/** The pauses between the reads of a relay that takes questions slowly. */
const LOOK_AGAIN_SLOWLY_MS = [1_000];
/** Some relays send EOSE before the events. How long to listen after it for a missing event. */
const LINGER_MS = 50;
/**
 * How long to listen after EOSE where nobody reads again, so that a missing event counts as lost. Some relays
 * send one EOSE for each filter: this is also how long to wait for the next EOSE.
 */
const AFTER_EOSE_MS = 150;
/** A relay may be replaced by other software. */
const ONE_EOSE_FOR_MS = 10 * 60_000;

/** The replies to an EVENT. */
interface Delivery {
  /** The reply after a moment; `silent` where none came. */
  soon: SendReply;
  reply: Promise<SendReply>;
}

/** An EVENT that is being sent, or whose OK is awaited. */
interface Pending {
  /** Resolves with the OK, or a moment after the EVENT, or when it cannot be sent. */
  soon: Promise<unknown>;
  /** Resolves when no reply can come any more. */
  end: Promise<unknown>;
}

type Reading = Wanted & { index: number };

/** A relay of NIP-01, which answers with OK, EOSE and CLOSED. */
export class DirectRelay implements DocumentRelay {
  readonly #questions: Questions;
  readonly #reader: AddressReader;
  /** By event id. */
  readonly #pending = new Map<string, Pending>();
  readonly #auth: RelayAuth;
  /** Until then its first EOSE is taken for the end of the answer. */
  #oneEoseUntilMs = 0;

  constructor(
    private readonly pool: RelayPool,
    private readonly options: DocumentRelayOptions,
  ) {
    const { replyTimeoutMs: timeoutMs, maxFilters } = options;
    this.#auth = new RelayAuth({ pool, ...options });
    this.#questions = new Questions(timeoutMs);
    this.#reader = new AddressReader({
      questions: this.#questions,
      timeoutMs,
      ...(maxFilters === undefined ? {} : { maxFilters }),
    });
  }

  async look(addresses: readonly LookedAt[], asking: Asking, tell: Tell): Promise<void> {
    await this.#read(wantedAt(addresses), asking, tell, AFTER_EOSE_MS);
  }

  async send(event: SignedEvent, asking: Asking, onLate: (reply: SendReply) => void): Promise<SendReply> {
    const delivery = this.#deliver(event, asking);
    const end = delivery.then(({ reply }) => reply).catch(() => undefined);
    const pending: Pending = { soon: delivery.catch(() => undefined), end };
    this.#pending.set(event.id, pending);
    void end.then((reply) => {
      if (this.#pending.get(event.id) === pending) this.#pending.delete(event.id);
      if (reply?.kind === 'ok' || reply?.kind === 'refused') this.#questions.noteAnswer();
      if (reply?.kind === 'heldback' && reply.heldback.wasTried) this.#questions.noteAnswer();
    });
    const { soon, reply } = await delivery;
    if (soon.kind === 'silent')
      void reply.then((late) => (late.kind !== 'silent' || late.words !== undefined) && onLate(late));
    return soon;
  }

  lastWords(): string | undefined {
    return this.pool.lastWords(this.options.url);
  }

  /** Sends when it is its turn. Where its turn does not come soon, it does not send. */
  async #deliver(event: SignedEvent, asking: Asking): Promise<Delivery> {
    for (;;) {
      const heldback = await this.options.pacer.turn('events');
      if (heldback !== undefined) return delivered({ kind: 'heldback', heldback });
      const delivery = await this.#deliverNow(event, asking, Date.now());
      if (delivery.soon.kind !== 'heldback') return delivery;
    }
  }

  async #deliverNow(event: SignedEvent, { identity }: Asking, sentAtMs: number): Promise<Delivery> {
    const asked = await this.#auth.ask(
      identity,
      async (connection) => {
        const whole = connection.publish(event, this.options.replyTimeoutMs);
        const first = await within(whole, OK_MS);
        return { whole, first: first ?? silenceOn(connection), notice: connection.lastNotice };
      },
      ({ first }) => demandsIdentity(first),
    );
    if ('refused' in asked) return delivered(notAuthenticated(asked.refused));
    const { whole, first, notice } = asked.reply;
    // Some relays say it in a NOTICE, and not in an OK.
    if (first.kind === 'silent' && notice && notice.atMs >= sentAtMs && saysTooMuch(notice.text))
      return delivered(this.#refusedAsTooMuch(notice.text, sentAtMs));
    const soon = this.#judged(first, sentAtMs);
    if (first.kind !== 'silent') return delivered(soon);
    return { soon, reply: whole.then((reply) => this.#judged(reply, sentAtMs)) };
  }

  /** The meaning of a reply. The pacer gets it too. */
  #judged(reply: PublishReply, sentAtMs: number): SendReply {
    if (reply.kind === 'ok' && !reply.accepted && meaningOfRefusal(reply.message) === 'slow down')
      return this.#refusedAsTooMuch(reply.message, sentAtMs);
    if (reply.kind === 'ok') this.options.pacer.passed('events');
    return replyOf(reply);
  }

  #refusedAsTooMuch(words: string, sentAtMs: number): SendReply {
    const { pacer } = this.options;
    pacer.refused('events', sentAtMs, words);
    return { kind: 'heldback', heldback: pacer.heldback('events') };
  }

  async confirm(sent: readonly SentEvent[], asking: Asking, tell: Tell): Promise<void> {
    const all = wantedOf(sent).map((each, index) => ({ ...each, index }));
    await Promise.all(
      inParts(all, this.#reader.filtersPerRequest()).map(async (part) => {
        // A live broadcast does not prove storage: the REQ comes after the OK.
        await Promise.all(part.map(({ event }) => this.#pending.get(event.id)?.soon));
        const missing = await this.#readBack(part, asking, tell);
        const late = missing.filter(({ event }) => this.#pending.has(event.id));
        if (late.length === 0) return;
        await Promise.all(late.map(({ event }) => this.#pending.get(event.id)?.end));
        await this.#readBack(late, asking, tell);
      }),
    );
  }

  /**
   * Reads back, and again where the relay took an event and does not show it yet. @returns the events that it
   * does not show
   */
  async #readBack<W extends Reading & SentEvent>(
    sent: readonly W[],
    asking: Asking,
    tell: Tell,
  ): Promise<W[]> {
    let open = [...sent];
    const missing = new Set(sent);
    const againMs = this.options.pacer.isLimited('questions') ? LOOK_AGAIN_SLOWLY_MS : LOOK_AGAIN_MS;
    for (const [round, waitMs] of [0, ...againMs].entries()) {
      if (waitMs > 0) await sleep(waitMs);
      const worthIt = new Set<W>();
      await this.#read(
        open,
        asking,
        (index, sighting, each) => {
          tell(index, sighting);
          if (decidedBy(sighting, each.event) !== undefined) missing.delete(each);
          else if (sighting.kind !== 'unknown' && isExpected(each.reply())) worthIt.add(each);
        },
        // In the first read an event after EOSE may be the live broadcast.
        round === 0 ? 0 : Math.max(waitMs, LINGER_MS),
      );
      open = open.filter((each) => worthIt.has(each));
      if (open.length === 0) break;
    }
    return [...missing];
  }

  #read<W extends Reading>(
    wanted: readonly W[],
    asking: Asking,
    tell: (index: number, sighting: Sighting, each: W) => void,
    lingerMs = 0,
  ): Promise<void> {
    return this.#reader.read(
      wanted,
      (part, forMs) => this.#ask(part, forMs, asking, lingerMs),
      (each, sighting) => tell(each.index, sighting, each),
    );
  }

  /** Sends one REQ when it is its turn. Where its turn does not come soon, it does not send. */
  async #ask(
    wanted: readonly Wanted[],
    timeoutMs: number,
    asking: Asking,
    lingerMs: number,
  ): Promise<Answer> {
    const { pacer } = this.options;
    let answer: Answer | undefined;
    for (;;) {
      const heldback = await pacer.turn('questions');
      if (heldback !== undefined) return heldbackAnswer(wanted, heldback, answer);
      const askedAtMs = Date.now();
      answer = await this.#askNow(wanted, timeoutMs, asking, lingerMs);
      const { tooMuch, sightings } = answer;
      if (tooMuch === undefined) {
        if (sightings.some(({ kind }) => kind !== 'unknown')) pacer.passed('questions');
        return answer;
      }
      pacer.refused('questions', askedAtMs, tooMuch);
    }
  }

  async #askNow(
    wanted: readonly Wanted[],
    timeoutMs: number,
    { identity }: Asking,
    lingerMs: number,
  ): Promise<Answer> {
    const isEoseKnown = wanted.length === 1 || Date.now() < this.#oneEoseUntilMs;
    const isEnough = (events: readonly SignedEvent[]): boolean =>
      events.length >= wanted.length && wanted.every((each) => each.event && isShown(each, events));
    const options: ReadOptions = {
      timeoutMs,
      lingerMs: (events) => {
        if (isEnough(events)) return 0;
        const isMissed = lingerMs > 0 && !wanted.every((each) => isShown(each, events));
        return Math.max(isMissed ? lingerMs : 0, isEoseKnown ? 0 : AFTER_EOSE_MS);
      },
      isEnough,
      isEnd: (notice) => (wanted.length > 1 && complainsOfFilters(notice)) || saysTooMuch(notice),
    };
    const filters = wanted.map(filterOf);
    const asked = await this.#auth.ask(
      identity,
      (connection) => readStored(connection, filters, options),
      wantsIdentity,
    );
    if ('refused' in asked) {
      const outside = unauthenticated(asked.refused);
      return { sightings: wanted.map(() => outside) };
    }
    const { reply } = asked;
    if (reply.kind === 'eose' && !reply.isRepeated && !isEoseKnown)
      this.#oneEoseUntilMs = Date.now() + ONE_EOSE_FOR_MS;
    return answerOf(wanted, reply);
  }
}

function delivered(reply: SendReply): Delivery {
  return { soon: reply, reply: Promise.resolve(reply) };
}
