import { randomUUID } from 'node:crypto';
import { RepublishError } from '../../contract/failures';
import type { RequestKind } from '../../rules/window';
import type { SignedEvent } from '../events';
import { shownRelay } from '../relays/url';
import type { SignerCall } from '../signers/signer';
import type { BunkerClientOptions } from './client-options';
import { Envelopes } from './envelopes';
import type { BunkerLink } from './link';
import { type BunkerAnswer, isForNobody, meaningOfAnswer, refusalOf } from './messages';
import { OpenRequests } from './open-requests';
import { RequestSlots } from './request-slots';
import { QuestionIds } from './question-id';
import { BunkerRequest } from './request';
import { RequestPacer } from './request-pacer';
import { tellEnd } from './tell-end';
import { parseRelayList } from './uri';
import { BunkerLinks } from './bunker-links';

/** A request that waited longer for its turn gets a new event: relays and bunkers may refuse old events. */
const MAX_PREPARED_MS = 30_000;

interface PreparedRequest {
  id: string;
  method: string;
  event: SignedEvent;
  madeAtMs: number;
}

/**
 * The requests to one bunker and its answers. Only the answer decides about a request: it is sent over every
 * relay of the bunker, and matched by its id. A caller waits until its deadline. A question of a run stays
 * open longer, and its answer counts whenever it comes (`BunkerRequest`). Everything else that arrives is
 * dropped and counted.
 */
export class Exchange {
  readonly #envelopes: Envelopes;
  readonly #pacer: RequestPacer;
  readonly #slots: RequestSlots;
  readonly #ids: QuestionIds;
  readonly #links: BunkerLinks;
  readonly #open = new OpenRequests();
  #answeredAtMs = -Infinity;
  /** The newest of all questions that the bunker has answered: when it was sent. */
  #answeredSentAtMs = -Infinity;
  /** The last caller that waited for a person got no answer. The next one does not wait for a person. */
  #waitTimedOut = false;
  #closed = false;

  constructor(private readonly options: BunkerClientOptions) {
    this.#envelopes = new Envelopes(options.clientSecretKey, options.bunkerPubkey);
    this.#pacer = options.pacer ?? new RequestPacer();
    this.#slots = new RequestSlots(options.limiter, this.#pacer, options.window);
    this.#ids = new QuestionIds(options.clientSecretKey);
    this.#links = this.#openLinks();
  }

  get clientPubkey(): string {
    return this.#envelopes.clientPubkey;
  }

  /** An answer that counts may still come, or has come and nobody has taken it yet. */
  get isAwaited(): boolean {
    return !this.#closed && this.#open.areAwaited;
  }

  /** Messages came in the bunker's name that could not be read. */
  get isUnreadable(): boolean {
    return this.#envelopes.unreadable > 0;
  }

  /** @throws RepublishError SignerUnreachable as soon as none of the bunker's relays can carry requests */
  untilReachable(): Promise<void> {
    return this.#links.untilReachable();
  }

  close(): void {
    this.#closed = true;
    this.#links.close();
    for (const request of this.#open.all()) request.fail(closedError());
    this.#open.clear();
    this.#ids.wipe();
    this.#envelopes.wipe();
  }

  /**
   * Asks when it is its turn, and waits for the answer. A question with a known or expected answer is not
   * sent again.
   *
   * @param work which latency of the window the request measures. Absent: none
   */
  async request(
    method: string,
    params: string[],
    call: SignerCall = {},
    work?: RequestKind,
  ): Promise<string> {
    if (this.#closed) throw closedError();
    const { question, turn = call.signal } = call;
    // A random id, because another worker may use the same client key at the same time.
    const id = question === undefined ? randomUUID() : this.#ids.of(question, method, params);
    for (;;) {
      const known = this.#open.join(id, call);
      if (known !== undefined) return known;
      await this.#whileApprovalIsOpen(call, turn);
      turn?.throwIfAborted();
      const request = await this.#askInTurn(() => this.#prepare(id, method, params), call, work);
      if (request !== undefined) return this.#waitFor(request, call);
    }
  }

  /** @returns undefined where a person was asked meanwhile, or somebody else has sent the same question */
  #askInTurn(
    prepare: () => PreparedRequest,
    call: SignerCall,
    work: RequestKind | undefined,
  ): Promise<BunkerRequest | undefined> {
    const { turn = call.signal, rank } = call;
    // Encrypted before its turn, if that is near. A slot is for the bunker's time, not for ours.
    let prepared = this.#slots.isNear ? prepare() : undefined;
    const ask = (onApprovalAsked: () => void): BunkerRequest | undefined => {
      if (prepared === undefined || performance.now() - prepared.madeAtMs > MAX_PREPARED_MS)
        prepared = prepare();
      if (this.#open.approval() !== undefined || this.#open.byId(prepared.id) !== undefined) return undefined;
      return this.#ask(prepared, call, onApprovalAsked);
    };
    return this.#slots.ask(ask, { signal: turn, rank, work });
  }

  /** Asks without waiting for a slot, and holds none: other requests do not wait for it. */
  async askAtOnce(method: string, call: SignerCall): Promise<string> {
    return this.#ask(this.#prepare(randomUUID(), method, []), call, () => undefined).wait(call);
  }

  /** Moves to the relays in a bunker's answer. @returns the new relays, where they differ */
  async moveTo(answer: string): Promise<string[] | undefined> {
    const relays = this.#closed ? undefined : parseRelayList(answer, (url) => this.#links.isAllowed(url));
    return relays !== undefined && (await this.#links.switchTo(relays)) ? relays : undefined;
  }

  #openLinks(): BunkerLinks {
    const { relays, namedRelays = relays, addressRules = { allowPrivate: false } } = this.options;
    return new BunkerLinks({
      relays,
      namedRelays,
      addressRules,
      connectTimeoutMs: this.options.connectTimeoutMs,
      bunkerPubkey: this.options.bunkerPubkey,
      // NIP-42: a relay knows this connection by the client key.
      identity: {
        pubkey: this.clientPubkey,
        sign: (event) => Promise.resolve(this.#envelopes.sign(event)),
      },
      onAnswer: (event, link) => this.#receive(event, link),
      onReady: (link) => this.#sendWaiting(link),
      onOk: (link, id, accepted, message) =>
        this.#open.byEventId(id)?.delivery.noteOk(link, accepted, message),
      onThrottled: () => this.#pacer.refused(Date.now()),
      onMalformed: () => this.options.telemetry?.messageDropped('relay'),
      isNeeded: (link) => this.#open.isSentOver(link),
    });
  }

  /** A bunker that answered a moment ago is there. Its silence may mean that a person has to approve. */
  async #waitFor(request: BunkerRequest, call: SignerCall): Promise<string> {
    // The client was closed after the request was sent. Nobody would end this wait.
    if (this.#closed) throw closedError();
    const isThere = performance.now() - this.#answeredAtMs < this.options.requestTimeoutMs;
    if (call.patient !== true) return request.wait(call);
    const isPatient = isThere && !this.#waitTimedOut;
    try {
      const answer = await request.wait(call, isPatient);
      this.#waitTimedOut = false;
      return answer;
    } catch (thrown) {
      if (isPatient) this.#waitTimedOut = thrown instanceof RepublishError && thrown.type === 'SignerTimeout';
      throw thrown;
    }
  }

  /**
   * While a person is asked to approve one request, the others wait: each would ask the same person again.
   */
  async #whileApprovalIsOpen({ onApproval }: SignerCall, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const open = this.#open.approval();
      if (open === undefined) return;
      onApproval?.(open.approvalUrl);
      try {
        await open.untilLeft(signal);
      } finally {
        onApproval?.(undefined);
      }
    }
  }

  #prepare(id: string, method: string, params: string[]): PreparedRequest {
    if (this.#closed) throw closedError();
    const event = this.#envelopes.request(JSON.stringify({ id, method, params }));
    return { id, method, event, madeAtMs: performance.now() };
  }

  #ask(prepared: PreparedRequest, call: SignerCall, onApprovalAsked: () => void): BunkerRequest {
    if (this.#closed) throw closedError();
    call.signal?.throwIfAborted();
    const { id, method } = prepared;
    const { requestTimeoutMs, approvalTimeoutMs } = this.options;
    const mayComeAgain = call.question !== undefined;
    const request = new BunkerRequest({
      ...prepared,
      requestTimeoutMs,
      approvalTimeoutMs,
      refusalGraceMs: this.options.refusalGraceMs ?? requestTimeoutMs / 15,
      endsWhenRefused: method === 'connect',
      staysOpen: mayComeAgain,
      pacer: this.#pacer,
      links: () => this.#links.links,
      answeredSentAtMs: () => this.#answeredSentAtMs,
      hint: () => this.#hint(),
      renew: (before) => {
        const event = this.#envelopes.again(before);
        this.#open.addEvent(event.id, request);
        return event;
      },
      onApprovalAsked,
      onEnd: (answer, isTaken) => {
        if (mayComeAgain && answer !== undefined)
          this.#answeredSentAtMs = Math.max(this.#answeredSentAtMs, request.delivery.sentAtMs);
        this.#open.end(id, mayComeAgain ? answer : undefined, isTaken);
        this.#links.retire();
      },
    });
    this.#open.add(id, request);
    this.#open.addEvent(prepared.event.id, request);
    request.delivery.send();
    tellEnd(method, request.inTime, this.options.telemetry);
    return request;
  }

  /** After a (re)connect: sends the open requests. */
  #sendWaiting(link: BunkerLink): void {
    if (!this.#links.links.includes(link)) return;
    for (const request of this.#open.all()) request.sendOver(link);
  }

  #receive(event: SignedEvent, link: BunkerLink): void {
    // Nobody waits: old messages that a relay kept are not worth decrypting.
    if (this.#open.size === 0 || !this.#envelopes.isFromBunker(event)) return;
    const answer = this.#envelopes.open(event);
    if (answer === undefined) {
      this.options.telemetry?.messageDropped('bunker');
      return link.noteUnreadable();
    }
    const request = this.#open.byId(answer.id);
    if (request !== undefined) {
      request.noteAnswer(event.created_at);
      return this.#take(answer, request);
    }
    // It does not say which request it is about. That request is sent again like any other without an answer.
    if (isForNobody(answer) && refusalOf(answer.error).meaning === 'slower') this.#pacer.refused(Date.now());
  }

  #take(answer: BunkerAnswer, request: BunkerRequest): void {
    this.#answeredAtMs = performance.now();
    const meaning = meaningOfAnswer(request.method, answer);
    switch (meaning.kind) {
      case 'result':
        return request.answered(meaning.result);
      case 'refusal':
        return request.refused(meaning.refusal, meaning.meaning);
      case 'approval':
        if (request.waitForApproval(meaning.page)) this.options.onApprovalNeeded?.(meaning.page);
        return;
      case 'nothing':
        return;
    }
  }

  #hint(): string {
    const trouble = this.#envelopes.trouble;
    if (trouble !== undefined) return `; ${trouble}`;
    const { silenceMayMean } = this.options;
    const said = this.#links.links.flatMap(({ url, lastWords }) =>
      lastWords === undefined ? [] : [`${shownRelay(url)} said last: ${lastWords}`],
    );
    return [...(silenceMayMean === undefined ? [] : [silenceMayMean]), ...said]
      .map((each) => `; ${each}`)
      .join('');
  }
}

function closedError(): RepublishError {
  return new RepublishError('SignerUnreachable', 'the connection to the bunker was closed');
}
