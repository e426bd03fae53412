import { randomUUID } from 'node:crypto';
import { getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { PACKAGE } from '../../contract/names';
import type { Telemetry } from '../../contract/telemetry';
import type { SignedEvent, UnsignedEvent } from '../events';
import { approvalPage } from '../../rules/approval-page';
import type { Question, RequestWindow } from '../../rules/window';
import { decrypt, encrypt, getConversationKey, looksLikeNip44 } from '../nip44';
import type { AddressRules } from '../relays/address-rules';
import { AUTH_KIND } from '../relays/identity';
import { shownRelay } from '../relays/url';
import { signWith } from '../schnorr';
import type { Signer, SignerCall } from '../signers/signer';
import { requireSameEvent } from './same-event';
import type { Limiter } from '../../async/limiter';
import { BUNKER_KIND, type BunkerLink } from './link';
import { type BunkerAnswer, isForNobody, parseAnswer, refusalOf, REFUSED } from './messages';
import { OpenRequests } from './open-requests';
import { RequestPacer } from './request-pacer';
import { Places } from './places';
import { QuestionIds } from './question-id';
import { BunkerRequest } from './request';
import { tellEnd } from './tell-end';
import { parseRelayList } from './uri';
import { Ways } from './ways';

export interface BunkerClientOptions {
  bunkerPubkey: string;
  relays: readonly string[];
  /** Those that somebody here has named, where the bunker has moved to others since. Absent: `relays`. */
  namedRelays?: readonly string[];
  /** Key by which the bunker knows this client; copied, and wiped on close. */
  clientSecretKey: Uint8Array;
  /** From sending a request to its answer. */
  requestTimeoutMs: number;
  /**
   * The same, once the bunker has asked for a person's approval (`auth_url`); and so long a question that may
   * be asked again stays open, as a person may be asked without a word.
   */
  approvalTimeoutMs: number;
  /** So long a good answer may come after a refusal. Absent: a fifteenth of a request's time. */
  refusalGraceMs?: number;
  connectTimeoutMs: number;
  /** Where the bunker's relays may be. Absent: on this machine and on the public internet. */
  addressRules?: AddressRules;
  /** Shared by all clients of this bunker in the process. */
  limiter: Limiter;
  /** Likewise: how many requests the limiter lets through. Absent: as many as it was made with. */
  window?: RequestWindow | undefined;
  /** Likewise: finds the rate at which the bunker's relays pass requests on. Absent: one of its own. */
  pacer?: RequestPacer;
  /** What silence may mean with this bunker, for the message of a request that had no answer. */
  silenceMayMean?: string | undefined;
  /** The page on which a person approves a request. It is a secret of the operator's: never log it. */
  onApprovalNeeded?(url: string): void;
  telemetry?: Telemetry | undefined;
}

/** What is asked for at pairing (NIP-46 permissions). */
export const PERMISSIONS = 'nip44_encrypt,sign_event:30078,sign_event:22242';
/** All that documents need, as long as no relay demands to know who publishes. */
export const PERMISSIONS_WITHOUT_AUTH = 'nip44_encrypt,sign_event:30078';

/** A request that waited longer for its turn is made anew: relays and bunkers may refuse old events. */
const MAX_PREPARED_MS = 30_000;

interface PreparedRequest {
  id: string;
  method: string;
  event: SignedEvent;
  madeAtMs: number;
}

/**
 * NIP-46 client. A request is judged by its answer and nothing else: it is sent over every relay of the
 * bunker, and matched by its id. Who waits for it does so until its deadline; a question of a run stays open
 * for longer, and its answer counts whenever it comes (`BunkerRequest`). Whatever else arrives is dropped and
 * counted.
 */
export class BunkerClient implements Signer {
  readonly clientPubkey: string;
  #pacer: RequestPacer;
  #places: Places;
  #conversationKey: Uint8Array;
  #clientSecretKey: Uint8Array;
  #ids: QuestionIds;
  #ways: Ways;
  #open = new OpenRequests();
  #answeredAtMs = -Infinity;
  /** When the newest of the questions was sent that the bunker has answered. */
  #answeredSentAtMs = -Infinity;
  /** A person was waited for in vain, and is not again. */
  #waitedInVain = false;
  #closed = false;
  /** Messages in the bunker's name that no bunker of this protocol would send. */
  #unreadable = 0;
  #nip04 = false;

  constructor(private readonly options: BunkerClientOptions) {
    this.#clientSecretKey = Uint8Array.from(options.clientSecretKey);
    this.clientPubkey = getPublicKey(this.#clientSecretKey);
    this.#pacer = options.pacer ?? new RequestPacer();
    this.#places = new Places(options.limiter, this.#pacer, options.window);
    this.#conversationKey = getConversationKey(this.#clientSecretKey, options.bunkerPubkey);
    this.#ids = new QuestionIds(this.#clientSecretKey);
    this.#ways = this.#openWays();
  }

  /** Answers may still come that count, or have come and nobody has them yet. */
  get isAwaited(): boolean {
    return !this.#closed && this.#open.areAwaited;
  }

  /**
   * Resolves when one of the bunker's relays can carry requests. @throws RepublishError SignerUnreachable as
   * soon as none can
   */
  untilReachable(): Promise<void> {
    return this.#ways.untilReachable();
  }

  /**
   * Pairs this client with the bunker. The secret works once; with a key that is paired already, leave it
   * out.
   */
  async connect(secret: string | undefined, permissions = PERMISSIONS, call?: SignerCall): Promise<void> {
    // How the bunker may call this client in its list.
    const metadata = JSON.stringify({ name: PACKAGE });
    const params = [this.options.bunkerPubkey, secret ?? '', permissions, metadata];
    const result = await this.#request('connect', params, call);
    if (result !== 'ack' && result !== secret) {
      throw new RepublishError(
        'SignerRefused',
        'the bunker answered connect with neither "ack" nor the secret',
      );
    }
  }

  async getPublicKey(call?: SignerCall): Promise<string> {
    const result = (await this.#request('get_public_key', [], call)).toLowerCase();
    if (!/^[0-9a-f]{64}$/.test(result)) {
      throw new RepublishError(
        'SignerReturnedWrongEvent',
        'the bunker answered get_public_key with something else',
      );
    }
    return result;
  }

  async nip44Encrypt(peer: string, plaintext: string, call?: SignerCall): Promise<string> {
    const result = await this.#request('nip44_encrypt', [peer, plaintext], call, 'encryption');
    if (!looksLikeNip44(result, Buffer.byteLength(plaintext, 'utf8'))) {
      const what = result.includes('?iv=')
        ? 'a NIP-04 ciphertext'
        : 'something that is no NIP-44 ciphertext of it';
      throw new RepublishError('SignerReturnedWrongEvent', `the bunker answered nip44_encrypt with ${what}`);
    }
    return result;
  }

  async signEvent(event: UnsignedEvent, call?: SignerCall): Promise<SignedEvent> {
    const { kind, created_at, tags, content, pubkey } = event;
    // NIP-46's template has no pubkey, but some bunkers ignore a request without it in silence.
    const template = JSON.stringify({ kind, created_at, tags, content, pubkey });
    // A relay's demand to know who comes is another question: a bunker may have another answer to it.
    const work = kind === AUTH_KIND ? undefined : 'signature';
    return requireSameEvent(event, await this.#request('sign_event', [template], call, work));
  }

  /**
   * Asks the bunker over which relays it wants to be reached (NIP-46 `switch_relays`) and moves there. To be
   * asked once in the life of a client, beside the requests that matter: a bunker that does not know the
   * question costs them nothing.
   *
   * @returns the relays, where they are others than before: the next client should begin there
   */
  async switchRelays(call: SignerCall = {}): Promise<string[] | undefined> {
    if (this.#closed) return undefined;
    const request = this.#ask(this.#prepare(randomUUID(), 'switch_relays', []), call, () => undefined);
    const answer = await request.wait(call).catch(() => 'null');
    const relays = this.#closed ? undefined : parseRelayList(answer, (url) => this.#ways.isAllowed(url));
    return relays !== undefined && (await this.#ways.switchTo(relays)) ? relays : undefined;
  }

  /**
   * Rejects unless the bunker answers. It waits for no place and no rate: whoever asks wants to know whether
   * anybody is there.
   */
  async ping(call: SignerCall): Promise<void> {
    await this.#ask(this.#prepare(randomUUID(), 'ping', []), call, () => undefined).wait(call);
  }

  /** Messages came in the bunker's name that could not be read. */
  get isUnreadable(): boolean {
    return this.#unreadable > 0;
  }

  close(): void {
    this.#closed = true;
    this.#ways.close();
    for (const request of this.#open.all()) request.fail(closedError());
    this.#open.clear();
    this.#ids.wipe();
    this.#clientSecretKey.fill(0);
    this.#conversationKey.fill(0);
  }

  #openWays(): Ways {
    const { relays, namedRelays = relays, addressRules = { allowPrivate: false } } = this.options;
    return new Ways({
      relays,
      namedRelays,
      addressRules,
      connectTimeoutMs: this.options.connectTimeoutMs,
      bunkerPubkey: this.options.bunkerPubkey,
      // NIP-42: the client key is who this connection is.
      identity: {
        pubkey: this.clientPubkey,
        sign: (event) => Promise.resolve(signWith(this.#clientSecretKey, event)),
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

  /** @param work what it is to the window; absent: nothing */
  async #request(method: string, params: string[], call: SignerCall = {}, work?: Question): Promise<string> {
    if (this.#closed) throw closedError();
    const { question, turn = call.signal } = call;
    // Random, because another worker may use the same client key at the same time.
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

  /** @returns undefined where a person was asked meanwhile, or somebody else has asked the same */
  #askInTurn(
    prepare: () => PreparedRequest,
    call: SignerCall,
    work: Question | undefined,
  ): Promise<BunkerRequest | undefined> {
    const { turn = call.signal, rank } = call;
    // Before its turn where that is near: the places at the bunker are for the bunker's time, not for ours.
    let prepared = this.#places.isNear ? prepare() : undefined;
    const ask = (onApprovalAsked: () => void): BunkerRequest | undefined => {
      if (prepared === undefined || performance.now() - prepared.madeAtMs > MAX_PREPARED_MS)
        prepared = prepare();
      if (this.#open.approval() !== undefined || this.#open.byId(prepared.id) !== undefined) return undefined;
      return this.#ask(prepared, call, onApprovalAsked);
    };
    return this.#places.ask(ask, { signal: turn, rank, work });
  }

  /** A bunker that has answered a moment ago is there: its silence is a person's, as far as one can know. */
  async #waitFor(request: BunkerRequest, call: SignerCall): Promise<string> {
    // Between its sending and this: nobody would ever be told.
    if (this.#closed) throw closedError();
    const isThere = performance.now() - this.#answeredAtMs < this.options.requestTimeoutMs;
    if (call.patient !== true || !isThere || this.#waitedInVain) return request.wait(call);
    try {
      return await request.wait(call, true);
    } catch (thrown) {
      this.#waitedInVain = thrown instanceof RepublishError && thrown.type === 'SignerTimeout';
      throw thrown;
    }
  }

  /** While a person is asked for one request, the others wait: each would only ask the same person again. */
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
    const content = encrypt(JSON.stringify({ id, method, params }), this.#conversationKey);
    return { id, method, event: this.#wrap(content, nowS()), madeAtMs: performance.now() };
  }

  #wrap(content: string, created_at: number): SignedEvent {
    const tags = [['p', this.options.bunkerPubkey]];
    return signWith(this.#clientSecretKey, { kind: BUNKER_KIND, created_at, tags, content });
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
      links: () => this.#ways.links,
      answeredSentAtMs: () => this.#answeredSentAtMs,
      hint: () => this.#hint(),
      renew: ({ content, created_at }) => {
        // Not in the same second: it would be the same event.
        const event = this.#wrap(content, Math.max(nowS(), created_at + 1));
        this.#open.addEvent(event.id, request);
        return event;
      },
      onApprovalAsked,
      onEnd: (answer, isTaken) => {
        if (mayComeAgain && answer !== undefined)
          this.#answeredSentAtMs = Math.max(this.#answeredSentAtMs, request.delivery.sentAtMs);
        this.#open.end(id, mayComeAgain ? answer : undefined, isTaken);
        this.#ways.retire();
      },
    });
    this.#open.add(id, request);
    this.#open.addEvent(prepared.event.id, request);
    request.delivery.send();
    tellEnd(method, request.inTime, this.options.telemetry);
    return request;
  }

  /** After a (re)connect: sends what waits. */
  #sendWaiting(link: BunkerLink): void {
    if (!this.#ways.links.includes(link)) return;
    for (const request of this.#open.all()) request.sendOver(link);
  }

  #receive(event: SignedEvent, link: BunkerLink): void {
    // Nobody waits: what a relay has kept from earlier is not worth decrypting.
    if (this.#open.size === 0) return;
    if (event.kind !== BUNKER_KIND || event.pubkey !== this.options.bunkerPubkey) return;
    let text: string;
    try {
      // The MAC proves that the bunker wrote this, so the signature around it need not be checked.
      text = decrypt(event.content, this.#conversationKey);
    } catch {
      this.#nip04 ||= event.content.includes('?iv=');
      return this.#noteUnreadable(link);
    }
    const answer = parseAnswer(text);
    if (answer === undefined) return this.#noteUnreadable(link);
    const request = this.#open.byId(answer.id);
    if (request !== undefined) {
      request.noteAnswer(event.created_at);
      return this.#take(answer, request);
    }
    // Which of them it does not say; that one is asked again like any that has no answer.
    if (isForNobody(answer) && refusalOf(answer.error).meaning === 'slower') this.#pacer.refused(Date.now());
  }

  #take({ result, error }: BunkerAnswer, request: BunkerRequest): void {
    const { method } = request;
    this.#answeredAtMs = performance.now();
    if (result === 'auth_url') {
      // Nobody needs that answer so much that a person has to come for it.
      if (method === 'switch_relays' || method === 'ping') return;
      const page = approvalPage(error);
      if (page !== undefined && request.waitForApproval(page)) this.options.onApprovalNeeded?.(page);
      return;
    }
    if (error !== '') {
      const { reason, meaning } = refusalOf(error);
      const { type, retryAfterMs } = REFUSED[meaning];
      const refusal = new RepublishError(type, `the bunker refused ${method}: ${reason}`, retryAfterMs);
      return request.refused(refusal, meaning);
    }
    if (result !== '') return request.answered(result);
    const message = `the bunker gave an empty answer to ${method}`;
    request.refused(new RepublishError('SignerReturnedWrongEvent', message), 'final');
  }

  #noteUnreadable(link: BunkerLink): void {
    this.#unreadable += 1;
    this.options.telemetry?.messageDropped('bunker');
    link.noteUnreadable();
  }

  #hint(): string {
    if (this.#nip04) return '; it answers with NIP-04, which is no longer allowed: update the bunker';
    if (this.#unreadable > 0) return `; ${this.#unreadable} unreadable messages came in its name`;
    const { silenceMayMean } = this.options;
    const said = this.#ways.links.flatMap(({ url, lastWords }) =>
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

function nowS(): number {
  return Math.floor(Date.now() / 1000);
}
