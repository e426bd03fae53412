import { setTimeout as sleep } from 'node:timers/promises';
import { decidedBy } from '../../rules/quorum';
import type { Address, SignedEvent } from '../events';
import { AddressReader, type Answer, complainsOfFilters, filterOf, inParts } from './address-reader';
import type { PublishReply, RelayConnection } from './connection';
import {
  type Asking,
  type DocumentRelay,
  type DocumentRelayOptions,
  newestAt,
  type SendReply,
  type SentEvent,
  type Sighting,
  type Tell,
  type Wanted,
  wantedOf,
} from './document-relay';
import type { AuthReply, RelayIdentity } from './identity';
import { plainText } from './plain-text';
import type { RelayPool } from './pool';
import { Questions } from './questions';
import { type ReadOptions, type ReadReply, readStored } from './read';
import { meaningOfRefusal } from './refusals';
import { within } from './within';

/** An OK is waited for that long before the event is looked for without it. */
const OK_MS = 1_000;
/** A relay may say OK a moment before its reads see the event: waits between the looks. */
const LOOK_AGAIN_MS = [50, 150, 400, 800];
/** Some relays send EOSE before the events: for what is missing there is listened on that long. */
const LINGER_MS = 50;

/** What came of an EVENT. */
interface Delivery {
  /** The answer, where it came within a moment. */
  inTime?: SendReply;
  reply: Promise<SendReply>;
}

/** An event that is on its way, or whose OK is. */
interface Pending {
  /** Resolves with the OK, or a moment after the EVENT, or when it cannot be sent. */
  soon: Promise<unknown>;
  /** Resolves when there is nothing more to wait for. */
  end: Promise<unknown>;
}

type Reading = Wanted & { index: number };

/** A relay of NIP-01, which answers with OK, EOSE and CLOSED. */
export class DirectRelay implements DocumentRelay {
  readonly #questions: Questions;
  readonly #reader: AddressReader;
  /** By event id. */
  readonly #pending = new Map<string, Pending>();

  constructor(
    private readonly pool: RelayPool,
    private readonly options: DocumentRelayOptions,
  ) {
    const { replyTimeoutMs: timeoutMs, maxFilters } = options;
    this.#questions = new Questions(timeoutMs);
    this.#reader = new AddressReader({
      questions: this.#questions,
      timeoutMs,
      ...(maxFilters === undefined ? {} : { maxFilters }),
    });
  }

  async look(addresses: readonly Address[], asking: Asking, tell: Tell): Promise<void> {
    await this.#read(
      addresses.map((address, index) => ({ address, index })),
      asking,
      tell,
    );
  }

  async send(event: SignedEvent, asking: Asking, onLate: (reply: SendReply) => void): Promise<SendReply> {
    const delivery = this.#deliver(event, asking);
    const end = delivery.then(({ reply }) => reply).catch(() => undefined);
    const pending: Pending = { soon: delivery.catch(() => undefined), end };
    this.#pending.set(event.id, pending);
    void end.then((reply) => {
      if (this.#pending.get(event.id) === pending) this.#pending.delete(event.id);
      if (reply?.kind === 'ok' || reply?.kind === 'refused') this.#questions.noteAnswer();
    });
    const { inTime, reply } = await delivery;
    if (inTime !== undefined) return inTime;
    void reply.then((late) => late.kind !== 'silent' && onLate(late));
    return { kind: 'silent' };
  }

  async #deliver(event: SignedEvent, { identity }: Asking): Promise<Delivery> {
    const connection = await this.pool.get(this.options.url);
    const introduced = await this.#introduce(connection, identity);
    if (introduced?.kind === 'refused' || introduced?.kind === 'withheld')
      return delivered(notAuthenticated(introduced));
    const first = connection.publish(event, this.options.replyTimeoutMs);
    const reply = await within(first, OK_MS);
    if (reply === undefined) return { reply: first.then(replyOf) };
    if (!demandsIdentity(reply) || identity === undefined) return delivered(replyOf(reply));
    const authenticated = await this.#authenticate(connection, identity);
    if (authenticated.kind !== 'accepted') return delivered(notAuthenticated(authenticated));
    const second = connection.publish(event, this.options.replyTimeoutMs).then(replyOf);
    const inTime = await within(second, OK_MS);
    return { reply: second, ...(inTime === undefined ? {} : { inTime }) };
  }

  async confirm(sent: readonly SentEvent[], asking: Asking, tell: Tell): Promise<void> {
    const all = wantedOf(sent).map((each, index) => ({ ...each, index }));
    await Promise.all(
      inParts(all, this.#reader.filtersPerRequest()).map(async (part) => {
        // A live broadcast is no proof of storage: the REQ comes after the OK.
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
   * Reads back; where the relay took an event and does not show it yet, a few times. @returns what it does
   * not show
   */
  async #readBack<W extends Reading & SentEvent>(
    sent: readonly W[],
    asking: Asking,
    tell: Tell,
  ): Promise<W[]> {
    let open = [...sent];
    const missing = new Set(sent);
    for (const [round, waitMs] of [0, ...LOOK_AGAIN_MS].entries()) {
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
        // In the first look what comes behind EOSE may be the live broadcast.
        round === 0 ? 0 : LINGER_MS,
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

  /** One REQ. */
  async #ask(
    wanted: readonly Wanted[],
    timeoutMs: number,
    { identity }: Asking,
    lingerMs: number,
  ): Promise<Answer> {
    const connection = await this.pool.get(this.options.url);
    await this.#introduce(connection, identity);
    const options: ReadOptions = {
      timeoutMs,
      lingerMs: (events) => (wanted.every((each) => isShown(each, events)) ? 0 : lingerMs),
      isEnd: (notice) => wanted.length > 1 && complainsOfFilters(notice),
    };
    const read = (): Promise<ReadReply> => readStored(connection, wanted.map(filterOf), options);
    let reply = await read();
    if (reply.kind === 'closed' && reply.reason.startsWith('auth-required:') && identity !== undefined) {
      const authenticated = await this.#authenticate(connection, identity);
      if (authenticated.kind !== 'accepted') {
        const outside = unauthenticated(authenticated);
        return { sightings: wanted.map(() => outside) };
      }
      reply = await read();
    }
    return answerOf(wanted, reply);
  }

  /**
   * To a relay that has announced that it wants to know who comes: before the first question, not after its
   * refusal.
   */
  async #introduce(
    connection: RelayConnection,
    identity: RelayIdentity | undefined,
  ): Promise<AuthReply | undefined> {
    if (identity === undefined || this.options.isAuthRequired?.() !== true) return undefined;
    return this.#authenticate(connection, identity);
  }

  /**
   * A signer may take minutes, and others have questions to this relay: its answer, when it comes, is there
   * for the next of them.
   */
  async #authenticate(connection: RelayConnection, identity: RelayIdentity): Promise<AuthReply> {
    const { replyTimeoutMs } = this.options;
    const reply = await within(connection.authenticate(identity, replyTimeoutMs), replyTimeoutMs);
    return reply ?? { kind: 'failed', reason: 'the signer has not signed for it yet' };
  }
}

/** Whether the relay can be expected to show the event in a moment. */
function isExpected(reply: SendReply | undefined): boolean {
  return reply?.kind === 'ok' || reply?.kind === 'silent';
}

function isShown({ event }: Wanted, events: readonly SignedEvent[]): boolean {
  return event === undefined || events.some(({ id }) => id === event.id);
}

function answerOf(wanted: readonly Wanted[], reply: ReadReply): Answer {
  const sightings = wanted.map((each): Sighting => {
    const sighting = newestAt(each, reply.events);
    return sighting.kind === 'nothing' ? absenceBy(reply) : sighting;
  });
  const words = reply.kind === 'closed' ? reply.reason : reply.kind === 'timeout' ? reply.notice : undefined;
  return { sightings, tooManyFilters: wanted.length > 1 && words !== undefined && complainsOfFilters(words) };
}

/** What it means that nothing has come. */
function absenceBy(reply: ReadReply): Sighting {
  switch (reply.kind) {
    case 'eose':
      return { kind: 'nothing' };
    case 'closed':
      return { kind: 'unknown', reason: `read refused: ${reply.reason}` };
    case 'timeout': {
      const said = reply.notice === undefined ? '' : `, but a notice: ${reply.notice}`;
      return { kind: 'unknown', reason: `no answer to a read${said}`, isSilent: true };
    }
    case 'lost':
      return { kind: 'unknown', reason: plainText(reply.reason) };
  }
}

function delivered(reply: SendReply): Delivery {
  return { inTime: reply, reply: Promise.resolve(reply) };
}

function demandsIdentity(reply: PublishReply): boolean {
  return reply.kind === 'ok' && !reply.accepted && meaningOfRefusal(reply.message) === 'authenticate';
}

function replyOf(reply: PublishReply): SendReply {
  if (reply.kind === 'silent') return reply;
  if (reply.kind === 'lost') return { kind: 'lost', reason: plainText(reply.reason) };
  const { accepted, message } = reply;
  const meaning = accepted ? 'look' : meaningOfRefusal(message);
  return meaning === 'look'
    ? { kind: 'ok', message }
    : { kind: 'refused', message, isFinal: meaning === 'final' };
}

type NotAuthenticated = Exclude<AuthReply, { kind: 'accepted' }>;

/**
 * A relay that does not take the operator's key will not take it later either; a signer that is silent may
 * answer later.
 */
function notAuthenticated(reply: NotAuthenticated): SendReply {
  return reply.kind === 'failed'
    ? { kind: 'lost', reason: why(reply) }
    : { kind: 'refused', message: why(reply), isFinal: true };
}

/** The same for a question. */
function unauthenticated(reply: NotAuthenticated): Sighting {
  return { kind: 'unknown', reason: why(reply), ...(reply.kind === 'failed' ? {} : { isFinal: true }) };
}

function why({ kind, reason }: NotAuthenticated): string {
  return plainText(`authentication ${kind}: ${reason}`);
}
