import { randomUUID } from 'node:crypto';
import { getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { PACKAGE } from '../../contract/names';
import type { Telemetry } from '../../contract/telemetry';
import type { SignedEvent, UnsignedEvent } from '../events';
import type { Question, RequestWindow } from '../../rules/window';
import { decrypt, encrypt, getConversationKey, looksLikeNip44 } from '../nip44';
import { type AddressRules, isAllowedUrl, rulesFor } from '../relays/address-rules';
import { AUTH_KIND } from '../relays/identity';
import { shownRelay } from '../relays/url';
import { signWith } from '../schnorr';
import type { Signer, SignerCall } from '../signers/signer';
import { requireSameEvent } from './same-event';
import type { Limiter } from './limiter';
import { BUNKER_KIND, BunkerLink } from './link';
import { approvalPage, parseAnswer, refusalOf, REFUSED } from './messages';
import { Pacer } from './pacer';
import { BunkerRequest } from './request';
import { tellEnd } from './tell-end';
import { parseRelayList } from './uri';

export interface BunkerClientOptions {
  bunkerPubkey: string;
  relays: readonly string[];
  /** Those that somebody here has named, where the bunker has moved to others since. Absent: `relays`. */
  namedRelays?: readonly string[];
  /** Key by which the bunker knows this client; copied, and wiped on close. */
  clientSecretKey: Uint8Array;
  /** From sending a request to its answer. */
  requestTimeoutMs: number;
  /** The same, once the bunker has asked for a person's approval (`auth_url`). */
  approvalTimeoutMs: number;
  connectTimeoutMs: number;
  /** Where the bunker's relays may be. Absent: on this machine and on the public internet. */
  addressRules?: AddressRules;
  /** Shared by all clients of this bunker in the process. */
  limiter: Limiter;
  /** Likewise: how many requests the limiter lets through. Absent: as many as it was made with. */
  window?: RequestWindow | undefined;
  /** Likewise: finds the rate at which the bunker's relays pass requests on. Absent: one of its own. */
  pacer?: Pacer;
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
  preparedAtMs: number;
}

/**
 * NIP-46 client. A request is judged by its answer and nothing else: it is sent over every relay of the
 * bunker, matched by a random id, and ends at its deadline at the latest. Whatever else arrives is dropped
 * and counted.
 */
export class BunkerClient implements Signer {
  readonly clientPubkey: string;
  #pacer: Pacer;
  #conversationKey: Uint8Array;
  #clientSecretKey: Uint8Array;
  /** Over which requests are sent. */
  #links: BunkerLink[];
  /** Relays that the bunker has just named, until one of them is ready. */
  #incoming: BunkerLink[] = [];
  /** On which answers to earlier requests may still come. */
  #retiring = new Set<BunkerLink>();
  #pending = new Map<string, BunkerRequest>();
  #byEventId = new Map<string, BunkerRequest>();
  #closed = false;
  /** Messages in the bunker's name that no bunker of this protocol would send. */
  #unreadable = 0;
  #nip04 = false;

  constructor(private readonly options: BunkerClientOptions) {
    this.#clientSecretKey = Uint8Array.from(options.clientSecretKey);
    this.clientPubkey = getPublicKey(this.#clientSecretKey);
    this.#pacer = options.pacer ?? new Pacer();
    this.#conversationKey = getConversationKey(this.#clientSecretKey, options.bunkerPubkey);
    this.#links = options.relays.map((url) => this.#open(url));
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
    const question = kind === AUTH_KIND ? undefined : 'signature';
    return requireSameEvent(event, await this.#request('sign_event', [template], call, question));
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
    const request = this.#prepare('switch_relays', []);
    const answer = await this.#ask(request, call, () => undefined).answer.catch(() => 'null');
    const relays = this.#closed
      ? undefined
      : parseRelayList(answer, (url) => isAllowedUrl(url, this.#rulesFor(url)));
    return relays !== undefined && (await this.#switchTo(relays)) ? relays : undefined;
  }

  /**
   * Rejects unless the bunker answers. It waits for no place and no rate: whoever asks wants to know whether
   * anybody is there.
   */
  async ping(call: SignerCall): Promise<void> {
    await this.#ask(this.#prepare('ping', []), call, () => undefined).answer;
  }

  /** Messages came in the bunker's name that could not be read. */
  get isUnreadable(): boolean {
    return this.#unreadable > 0;
  }

  close(): void {
    this.#closed = true;
    for (const link of [...this.#links, ...this.#incoming, ...this.#retiring]) link.close();
    for (const pending of [...this.#pending.values()]) pending.reject(closedError());
    this.#clientSecretKey.fill(0);
    this.#conversationKey.fill(0);
  }

  #open(url: string): BunkerLink {
    return new BunkerLink({
      url,
      connectTimeoutMs: this.options.connectTimeoutMs,
      addressRules: this.#rulesFor(url),
      bunkerPubkey: this.options.bunkerPubkey,
      // NIP-42: the client key is who this connection is.
      identity: {
        pubkey: this.clientPubkey,
        sign: (event) => Promise.resolve(signWith(this.#clientSecretKey, event)),
      },
      onAnswer: (event, link) => this.#receive(event, link),
      onReady: (link) => this.#sendWaiting(link),
      onOk: (link, id, accepted, message) => this.#byEventId.get(id)?.noteOk(link, accepted, message),
      onThrottled: () => this.#pacer.refused(Date.now()),
      onMalformed: () => this.options.telemetry?.messageDropped('relay'),
    });
  }

  #rulesFor(url: string): AddressRules {
    const { namedRelays = this.options.relays, addressRules = { allowPrivate: false } } = this.options;
    return rulesFor(url, namedRelays, addressRules);
  }

  /** @param question what it is to the window; absent: nothing */
  async #request(
    method: string,
    params: string[],
    call: SignerCall = {},
    question?: Question,
  ): Promise<string> {
    const { limiter } = this.options;
    const turn = call.turn ?? call.signal;
    let answer: Promise<string> | undefined;
    while (answer === undefined) {
      await this.#whileApprovalIsOpen(call, turn);
      turn?.throwIfAborted();
      // Before its turn where that is near: the places at the bunker are for the bunker's time, not for ours.
      let prepared = limiter.waiting < limiter.limit ? this.#prepare(method, params) : undefined;
      await limiter.run(
        async () => {
          await this.#pacer.take(turn);
          // A person was asked while this one waited.
          if (this.#openApproval() !== undefined) return;
          if (prepared === undefined || performance.now() - prepared.preparedAtMs > MAX_PREPARED_MS)
            prepared = this.#prepare(method, params);
          const ready = prepared;
          // A place is given back as soon as a person is asked: other operators may share this bunker.
          await new Promise<void>((free) => {
            const request = this.#ask(ready, call, () => {
              this.#setWindow((window) => window.beginAnew());
              free();
            });
            answer = request.answer;
            this.#tellWindow(request, question).then(free, free);
          });
        },
        turn,
        call.rank,
      );
    }
    return answer;
  }

  /** Has the window follow how a request ends. Resolves when that is done. */
  async #tellWindow(request: BunkerRequest, question: Question | undefined): Promise<void> {
    const sentAtMs = performance.now();
    // Who waits for the rate has a place already.
    const inFlight = Math.max(1, this.options.limiter.running - this.#pacer.waiting);
    try {
      await request.answer;
      const latencyMs = performance.now() - sentAtMs;
      if (question !== undefined && request.isUndisturbed)
        this.#setWindow((window) => window.answered(question, latencyMs, inFlight));
    } catch (thrown) {
      if (question === undefined || !(thrown instanceof RepublishError)) return;
      if (thrown.type === 'SignerTimeout' || thrown.type === 'SignerBusy')
        this.#setWindow((window) => window.lost(sentAtMs, performance.now()));
    }
  }

  #setWindow(change: (window: RequestWindow) => void): void {
    const { limiter, window } = this.options;
    if (window === undefined) return;
    change(window);
    limiter.limit = window.limit;
  }

  #openApproval(): BunkerRequest | undefined {
    return [...this.#pending.values()].find(({ approvalUrl }) => approvalUrl !== undefined);
  }

  /** While a person is asked for one request, the others wait: each would only ask the same person again. */
  async #whileApprovalIsOpen({ onApproval }: SignerCall, signal: AbortSignal | undefined): Promise<void> {
    for (;;) {
      const open = this.#openApproval();
      if (open === undefined) return;
      onApproval?.(open.approvalUrl);
      try {
        await open.untilEnd(signal);
      } finally {
        onApproval?.(undefined);
      }
    }
  }

  #prepare(method: string, params: string[]): PreparedRequest {
    if (this.#closed) throw closedError();
    // Random, because another worker may use the same client key at the same time.
    const id = randomUUID();
    const event = signWith(this.#clientSecretKey, {
      kind: BUNKER_KIND,
      created_at: Math.floor(Date.now() / 1000),
      tags: [['p', this.options.bunkerPubkey]],
      content: encrypt(JSON.stringify({ id, method, params }), this.#conversationKey),
    });
    return { id, method, event, preparedAtMs: performance.now() };
  }

  #ask({ id, method, event }: PreparedRequest, call: SignerCall, onApprovalAsked: () => void): BunkerRequest {
    if (this.#closed) throw closedError();
    call.signal?.throwIfAborted();
    const { requestTimeoutMs, approvalTimeoutMs } = this.options;
    const request = new BunkerRequest({
      method,
      event,
      requestTimeoutMs,
      approvalTimeoutMs,
      pacer: this.#pacer,
      links: () => this.#links,
      hint: () => this.#hint(),
      call,
      onApprovalAsked,
      onEnd: () => {
        this.#pending.delete(id);
        this.#byEventId.delete(event.id);
        this.#retire();
      },
    });
    this.#pending.set(id, request);
    this.#byEventId.set(event.id, request);
    request.send();
    tellEnd(method, request.answer, this.options.telemetry);
    return request;
  }

  /**
   * After a (re)connect: sends what waits. The same event again, so that a bunker that has it already can
   * tell.
   */
  #sendWaiting(link: BunkerLink): void {
    if (!this.#links.includes(link)) return;
    for (const pending of this.#pending.values()) pending.sendOver(link);
  }

  #receive(event: SignedEvent, link: BunkerLink): void {
    // Nobody waits: what a relay has kept from earlier is not worth decrypting.
    if (this.#pending.size === 0) return;
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
    const pending = this.#pending.get(answer.id);
    if (pending === undefined) return;
    pending.noteAnswer(event.created_at);
    if (answer.result === 'auth_url') {
      // Nobody needs that answer so much that a person has to come for it.
      if (pending.method === 'switch_relays' || pending.method === 'ping') return;
      const page = approvalPage(answer.error);
      if (page !== undefined && pending.waitForApproval(page)) this.options.onApprovalNeeded?.(page);
      return;
    }
    if (answer.error !== '') {
      const { reason, meaning } = refusalOf(answer.error);
      if (meaning === 'slower') pending.slowDown();
      return pending.reject(
        new RepublishError(
          REFUSED[meaning].type,
          `the bunker refused ${pending.method}: ${reason}`,
          REFUSED[meaning].retryAfterMs,
        ),
      );
    }
    if (answer.result === '') {
      return pending.reject(
        new RepublishError(
          'SignerReturnedWrongEvent',
          `the bunker gave an empty answer to ${pending.method}`,
        ),
      );
    }
    pending.resolve(answer.result);
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
    const said = this.#links.flatMap(({ url, lastWords }) =>
      lastWords === undefined ? [] : [`${shownRelay(url)} said last: ${lastWords}`],
    );
    return [...(silenceMayMean === undefined ? [] : [silenceMayMean]), ...said]
      .map((each) => `; ${each}`)
      .join('');
  }

  /**
   * Requests in flight end where they were begun; the next ones go over the new relays, once one of these is
   * ready.
   *
   * @returns whether the client has moved
   */
  async #switchTo(relays: string[]): Promise<boolean> {
    const standing = new Map(this.#links.map((link) => [link.url, link]));
    if (relays.length === standing.size && relays.every((url) => standing.has(url))) return false;
    const links = relays.map((url) => standing.get(url) ?? this.#open(url));
    this.#incoming = links.filter((link) => !this.#links.includes(link));
    const patienceMs = 2 * this.options.connectTimeoutMs;
    const isReady = await Promise.any(links.map((link) => link.untilReady(patienceMs))).then(
      () => true,
      () => false,
    );
    const incoming = this.#incoming;
    this.#incoming = [];
    if (!isReady || this.#closed) {
      for (const link of incoming) link.close();
      return false;
    }
    for (const link of this.#links) if (!links.includes(link)) this.#retiring.add(link);
    this.#links = links;
    this.#retire();
    return true;
  }

  /** Closes links that are no longer named, once no request waits for its answer there. */
  #retire(): void {
    for (const link of [...this.#retiring]) {
      if ([...this.#pending.values()].some((pending) => pending.isSentOver(link))) continue;
      this.#retiring.delete(link);
      link.close();
    }
  }
}

function closedError(): RepublishError {
  return new RepublishError('SignerUnreachable', 'the connection to the bunker was closed');
}
