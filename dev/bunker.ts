import { randomBytes } from 'node:crypto';
import { sleep } from '../async/wait';
import type { Event, EventTemplate } from 'nostr-tools/core';
import type { Filter } from 'nostr-tools/filter';
import { decrypt } from 'nostr-tools/nip44';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { ensureError } from '../contract/failures';
import { loadSchnorr, signWith } from '../nostr/schnorr';
import { answerContents, conversationKeyOf } from './bunker-faults';
import type { BunkerAnswer, BunkerFault, BunkerRequest, FaultAction } from './bunker-faults';
import { BunkerMethods } from './bunker-methods';
import { RelayLink } from './relay-link';

const nostrConnectKind = 24133;

export interface BunkerOptions {
  relays: string[];
  /** The relays in the bunker URI, such as proxies of `relays`. Default: `relays`. */
  namedRelays?: string[];
  /** The operator's key, which signs and encrypts. Default: a new one. */
  userSecretKey?: Uint8Array;
  /**
   * The bunker key. Default: a new one, which is not the operator's key. With nsecbunkerd it is the
   * operator's.
   */
  signerSecretKey?: Uint8Array;
  /** The secret of the bunker URI. Default: a random one. */
  secret?: string;
  /** Public keys of clients that have paired already. */
  knownClients?: readonly string[];
  /**
   * As nsecbunkerd: only these requests are granted (such as `nip44_encrypt`, `sign_event:30078`). Other
   * requests and other clients get no answer, except to get_public_key. Default: everything is granted to
   * paired clients, and others are refused.
   */
  grants?: readonly string[];
  /** How long each answer takes, as of a bunker on a slow phone. Default: 0. */
  answerDelayMs?: number;
  /**
   * As LNbits' nostr_bunker: a request is identified by its id alone. A second request with the id of one
   * that is in work does nothing. After the answer, also a refusal, it gets the same answer. Default: false.
   */
  remembersIds?: boolean;
  /** The most requests in work. The others wait in order. Default: no limit. */
  concurrency?: number;
  faults?: BunkerFault;
  /** Called with each request before the bunker works on it. The answer waits for the promise. */
  onRequest?: (request: BunkerRequest) => void | Promise<void>;
}

export interface DevBunker {
  readonly signerPubkey: string;
  readonly userPubkey: string;
  /** All requests, oldest first, with their plaintext: this is a development tool. */
  readonly requests: readonly BunkerRequest[];
  /** Public keys of the clients that have paired. */
  readonly authorisedClients: ReadonlySet<string>;
  /** Resolves when the bunker listens on every relay. It does not resolve while a relay is down. */
  readonly ready: Promise<void>;
  /** bunker://<signer>?relay=...&secret=... (NIP-46) */
  uri(): string;
  /** Accepts a client's offer (`nostrconnect://`): connects to its relays and sends the secret. */
  take(offer: string): Promise<void>;
  setFaults(faults: BunkerFault | undefined): void;
  /** The secret works once more, for another client. */
  admitAnew(): void;
  /** As a bunker that keeps its clients in memory and restarts: earlier clients get no answer any more. */
  forgetClients(): void;
  /** Signs with the operator's key, without a request. */
  signAsUser(template: EventTemplate): Event;
  /** As if the process had died: requests that are in work or arrive get no answer. */
  pause(): void;
  resume(): void;
  /** Closes the connections. Requests in work get no answer. */
  stop(): Promise<void>;
}

/**
 * Starts a bunker (NIP-46) with NIP-44 only. Resolves when it has tried each relay once. The secret works
 * once: the first client with it is paired, and others are refused.
 */
export async function startBunker(options: BunkerOptions): Promise<DevBunker> {
  loadSchnorr();
  const bunker = new Bunker(options);
  await bunker.attempted();
  return bunker;
}

class Bunker implements DevBunker {
  readonly signerPubkey: string;
  readonly userPubkey: string;
  readonly requests: BunkerRequest[] = [];
  readonly ready: Promise<void>;
  private readonly userSecretKey: Uint8Array;
  private readonly signerSecretKey: Uint8Array;
  private readonly secret: string;
  private readonly methods: BunkerMethods;
  private readonly links: RelayLink[];
  private readonly seenEventIds = new Set<string>();
  private readonly waiting: (() => void)[] = [];
  private readonly remembered = new Map<string, Partial<BunkerAnswer> | 'in work'>();
  private inWork = 0;
  private faults: BunkerFault | undefined;
  /** `pause` and `stop` abort it. Requests in work then end without an answer. */
  private life = new AbortController();

  constructor(private readonly options: BunkerOptions) {
    this.userSecretKey = options.userSecretKey ?? generateSecretKey();
    this.signerSecretKey = options.signerSecretKey ?? generateSecretKey();
    this.userPubkey = getPublicKey(this.userSecretKey);
    this.signerPubkey = getPublicKey(this.signerSecretKey);
    this.secret = options.secret ?? randomBytes(16).toString('hex');
    this.faults = options.faults;
    const { userSecretKey, signerPubkey, secret } = this;
    const { grants, knownClients } = options;
    this.methods = new BunkerMethods({ userSecretKey, signerPubkey, secret, grants, knownClients });
    this.links = options.relays.map(
      (url) => new RelayLink(url, this.filter(), (event) => this.receive(event)),
    );
    this.ready = Promise.all(this.links.map((link) => link.ready)).then(() => {});
  }

  get authorisedClients(): ReadonlySet<string> {
    return this.methods.authorisedClients;
  }

  private filter(): Filter {
    return { kinds: [nostrConnectKind], '#p': [this.signerPubkey], limit: 0 };
  }

  async attempted(): Promise<void> {
    await Promise.all(this.links.map((link) => link.attempted));
  }

  uri(): string {
    const { relays: own, namedRelays = own } = this.options;
    const relays = namedRelays.map((url) => `relay=${encodeURIComponent(url)}`);
    const query = [...relays, `secret=${encodeURIComponent(this.secret)}`].join('&');
    return `bunker://${this.signerPubkey}?${query}`;
  }

  async take(offer: string): Promise<void> {
    const { hostname: clientPubkey, searchParams } = new URL(offer);
    for (const url of searchParams.getAll('relay')) {
      if (this.links.some((link) => link.url === url)) continue;
      const link = new RelayLink(url, this.filter(), (event) => this.receive(event));
      this.links.push(link);
      await link.attempted;
    }
    this.methods.authorisedClients.add(clientPubkey);
    const request = { id: randomBytes(8).toString('hex'), clientPubkey };
    this.answer(request, { result: searchParams.get('secret') ?? '' }, {});
  }

  setFaults(faults: BunkerFault | undefined): void {
    this.faults = faults;
  }

  admitAnew(): void {
    this.methods.authorisedClients.clear();
  }

  forgetClients(): void {
    this.methods.forgetClients();
  }

  signAsUser(template: EventTemplate): Event {
    return signWith(this.userSecretKey, template);
  }

  pause(): void {
    this.life.abort();
  }

  resume(): void {
    if (this.life.signal.aborted) this.life = new AbortController();
  }

  async stop(): Promise<void> {
    this.life.abort();
    await Promise.all(this.links.map((link) => link.close()));
  }

  private receive(event: Event): void {
    const life = this.life.signal;
    // Several relays deliver the same event, and the bunker must work on it once.
    if (life.aborted || this.seenEventIds.has(event.id)) return;
    this.seenEventIds.add(event.id);
    const request = this.readRequest(event);
    if (request === undefined) return;
    const index = this.requests.push(request) - 1;
    if (this.options.remembersIds && this.isKnown(request)) return;
    void this.work(request, index, life);
  }

  /** Whether this request is in work or has an answer. It sends that answer again. */
  private isKnown(request: BunkerRequest): boolean {
    const { clientPubkey, id } = request;
    const key = `${clientPubkey} ${id}`;
    const answer = this.remembered.get(key);
    if (answer === undefined) {
      this.remembered.set(key, 'in work');
      return false;
    }
    if (answer !== 'in work') this.answer(request, answer, {});
    return true;
  }

  /** Undefined: the event cannot be decrypted or parsed. Without a request id there is nothing to answer. */
  private readRequest(event: Event): BunkerRequest | undefined {
    try {
      // The signature of the event is not checked: the MAC of NIP-44 proves the author.
      const text = decrypt(event.content, conversationKeyOf(this.signerSecretKey, event.pubkey));
      const { id, method, params } = JSON.parse(text) as Partial<BunkerRequest>;
      if (typeof id !== 'string' || typeof method !== 'string' || !Array.isArray(params)) return undefined;
      return { id, method, params, clientPubkey: event.pubkey, eventId: event.id, atMs: Date.now() };
    } catch {
      return undefined;
    }
  }

  private async work(request: BunkerRequest, index: number, life: AbortSignal): Promise<void> {
    // Before the first await: a fault function that counts must get the requests in the order of arrival.
    const fault = Promise.resolve().then(() => this.faults?.(request, index));
    fault.catch(() => {});
    const limit = this.options.concurrency ?? Infinity;
    if (this.inWork >= limit) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.inWork++;
    try {
      if (!life.aborted) await this.handle(request, await fault, life);
    } catch (error) {
      // The test sees a fault function that throws, and the process continues. An aborted sleep throws too:
      // then there is no answer.
      if (!life.aborted)
        this.answer(request, { error: `bunker script failed: ${ensureError(error).message}` }, {});
    } finally {
      // The next waiting request takes this place directly. Otherwise a request that arrives now could
      // overtake it.
      const next = this.waiting.shift();
      if (next) next();
      else this.inWork--;
    }
  }

  private async handle(
    request: BunkerRequest,
    fault: FaultAction | undefined,
    life: AbortSignal,
  ): Promise<void> {
    const action = fault ?? {};
    await this.options.onRequest?.(request);
    if (action.swallow) return;
    const delayMs = (this.options.answerDelayMs ?? 0) + (action.delayMs ?? 0);
    if (delayMs > 0) await sleep(delayMs, life);
    if (life.aborted) return;
    for (const url of action.authUrl === undefined ? [] : [action.authUrl].flat()) {
      this.answer(request, { result: 'auth_url', error: url }, {});
    }
    if (action.authUrl !== undefined && action.then === 'nothing') return;
    if (action.refusedBefore !== undefined) this.answer(request, { error: action.refusedBefore }, {});
    if (action.afterMs) await sleep(action.afterMs, life);
    await action.after;
    const outcome =
      action.error === undefined ? this.methods.perform(request, action) : { error: action.error };
    if (outcome === undefined || life.aborted) return;
    if (this.options.remembersIds) this.remembered.set(`${request.clientPubkey} ${request.id}`, outcome);
    this.answer(request, outcome, action);
  }

  private answer(
    request: Pick<BunkerRequest, 'id' | 'clientPubkey'>,
    outcome: Partial<BunkerAnswer>,
    action: FaultAction,
  ): void {
    const answer: BunkerAnswer = { id: request.id, result: '', ...outcome };
    for (const content of answerContents(answer, action, this.signerSecretKey, request.clientPubkey)) {
      const template: EventTemplate = {
        kind: nostrConnectKind,
        created_at: Math.floor(Date.now() / 1000),
        tags: [['p', request.clientPubkey]],
        content,
      };
      const event = signWith(this.signerSecretKey, template);
      this.links.forEach((link) => link.send(['EVENT', event]));
    }
  }
}
