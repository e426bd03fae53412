import { randomBytes } from 'node:crypto';
import { sleep } from '../async/wait';
import type { Event, EventTemplate } from 'nostr-tools/core';
import type { Filter } from 'nostr-tools/filter';
import { decrypt, encrypt } from 'nostr-tools/nip44';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { loadSchnorr, signWith } from '../nostr/schnorr';
import { answerContents, conversationKeyOf } from './bunker-faults';
import type { BunkerAnswer, BunkerFault, BunkerRequest, FaultAction } from './bunker-faults';
import { RelayLink } from './relay-link';

const nostrConnectKind = 24133;

export interface BunkerOptions {
  relays: string[];
  /** The relays that its address names, where they are others that lead to the same: a proxy. */
  namedRelays?: string[];
  /** The operator's key, which signs and encrypts. Absent: a new one. */
  userSecretKey?: Uint8Array;
  /**
   * The key the bunker answers with. Absent: a new one, and so not the user's own. With nsecbunkerd it is the
   * user's.
   */
  signerSecretKey?: Uint8Array;
  /** Pairing secret of the bunker:// address. Absent: a random one. */
  secret?: string;
  /** Public keys of clients that have paired before, and need no `connect`. */
  knownClients?: readonly string[];
  /**
   * As nsecbunkerd has it: only this is granted (such as `nip44_encrypt`, `sign_event:30078`), and whatever
   * else is asked, and whoever else asks, is met with silence. get_public_key is answered to everybody.
   * Absent: everything is granted, and strangers are refused.
   */
  grants?: readonly string[];
  /** Every answer takes this long, as with a bunker on a slow phone. */
  answerDelayMs?: number;
  /**
   * As LNbits' nostr_bunker has it: a request is known by its id alone. What is in work is not begun again,
   * and an answer that was given once, also a refusal, is repeated for ever.
   */
  remembersIds?: boolean;
  /** Requests in work at once; the others wait in order. Absent: no limit. */
  concurrency?: number;
  faults?: BunkerFault;
  /** Sees each request before it is worked on; the answer waits for its promise. */
  onRequest?: (request: BunkerRequest) => void | Promise<void>;
}

export interface DevBunker {
  readonly signerPubkey: string;
  readonly userPubkey: string;
  /** Everything heard, oldest first. Plaintext included: this is a development tool. */
  readonly requests: readonly BunkerRequest[];
  /** Public keys of the clients that have paired. */
  readonly authorisedClients: ReadonlySet<string>;
  /** Settles when the bunker listens on every relay; never, while one of them stays away. */
  readonly ready: Promise<void>;
  /** bunker://<signer>?relay=...&secret=... (NIP-46) */
  uri(): string;
  /** Takes a client's offer (`nostrconnect://`): joins its relays and tells it the secret. */
  take(offer: string): Promise<void>;
  setFaults(faults: BunkerFault | undefined): void;
  /** The secret works once more, for another client. */
  admitAnew(): void;
  /** As one that keeps its clients in memory does at a restart: those of before are met with silence. */
  forgetClients(): void;
  /** Signs with the user's key, without being asked. */
  signAsUser(template: EventTemplate): Event;
  /** As if the process had died: requests that arrive or are in work are lost without an answer. */
  pause(): void;
  resume(): void;
  /** Closes the connections; requests in work are not answered any more. */
  stop(): Promise<void>;
}

/**
 * Starts a NIP-46 remote signer that speaks NIP-44 only. Resolves when it has tried every relay once.
 *
 * Pairing works once: the first client that connects with the secret stays authorised, every other one is
 * refused.
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
  readonly authorisedClients = new Set<string>();
  readonly ready: Promise<void>;
  private readonly userSecretKey: Uint8Array;
  private readonly signerSecretKey: Uint8Array;
  private readonly secret: string;
  private readonly links: RelayLink[];
  private readonly seenEventIds = new Set<string>();
  private readonly waiting: (() => void)[] = [];
  private readonly forgotten = new Set<string>();
  private readonly remembered = new Map<string, Partial<BunkerAnswer> | 'in work'>();
  private inWork = 0;
  private faults: BunkerFault | undefined;
  /** Aborted by pause() and stop(): whatever was in work under it ends without an answer. */
  private life = new AbortController();

  constructor(private readonly options: BunkerOptions) {
    this.userSecretKey = options.userSecretKey ?? generateSecretKey();
    this.signerSecretKey = options.signerSecretKey ?? generateSecretKey();
    this.userPubkey = getPublicKey(this.userSecretKey);
    this.signerPubkey = getPublicKey(this.signerSecretKey);
    this.secret = options.secret ?? randomBytes(16).toString('hex');
    this.faults = options.faults;
    for (const client of options.knownClients ?? []) this.authorisedClients.add(client);
    this.links = options.relays.map(
      (url) => new RelayLink(url, this.filter(), (event) => this.receive(event)),
    );
    this.ready = Promise.all(this.links.map((link) => link.ready)).then(() => {});
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
    return `bunker://${this.signerPubkey}?${[...relays, `secret=${encodeURIComponent(this.secret)}`].join('&')}`;
  }

  async take(offer: string): Promise<void> {
    const { hostname: clientPubkey, searchParams } = new URL(offer);
    for (const url of searchParams.getAll('relay')) {
      if (this.links.some((link) => link.url === url)) continue;
      const link = new RelayLink(url, this.filter(), (event) => this.receive(event));
      this.links.push(link);
      await link.attempted;
    }
    this.authorisedClients.add(clientPubkey);
    const request = { id: randomBytes(8).toString('hex'), clientPubkey };
    this.answer(request, { result: searchParams.get('secret') ?? '' }, {});
  }

  setFaults(faults: BunkerFault | undefined): void {
    this.faults = faults;
  }

  admitAnew(): void {
    this.authorisedClients.clear();
  }

  forgetClients(): void {
    for (const client of this.authorisedClients) this.forgotten.add(client);
    this.authorisedClients.clear();
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
    // Several relays deliver one event, and NIP-46 wants it worked on once.
    if (life.aborted || this.seenEventIds.has(event.id)) return;
    this.seenEventIds.add(event.id);
    const request = this.readRequest(event);
    if (request === undefined) return;
    const index = this.requests.push(request) - 1;
    if (this.options.remembersIds && this.isKnown(request)) return;
    void this.work(request, index, life);
  }

  /** Repeats the answer, where there is one already. */
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

  /** What cannot be decrypted or read is ignored, as an answer could not be matched to anything. */
  private readRequest(event: Event): BunkerRequest | undefined {
    try {
      // The event's signature is not checked: only the holder of its key can have made this MAC (NIP-44).
      const text = decrypt(event.content, conversationKeyOf(this.signerSecretKey, event.pubkey));
      const { id, method, params } = JSON.parse(text) as Partial<BunkerRequest>;
      if (typeof id !== 'string' || typeof method !== 'string' || !Array.isArray(params)) return undefined;
      return { id, method, params, clientPubkey: event.pubkey, eventId: event.id, atMs: Date.now() };
    } catch {
      return undefined;
    }
  }

  private async work(request: BunkerRequest, index: number, life: AbortSignal): Promise<void> {
    // Before the first await, so that a fault script that counts sees the requests in the order they arrived.
    const fault = Promise.resolve().then(() => this.faults?.(request, index));
    fault.catch(() => {});
    const limit = this.options.concurrency ?? Infinity;
    if (this.inWork >= limit) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.inWork++;
    try {
      if (!life.aborted) await this.handle(request, await fault, life);
    } catch (error) {
      // A script that throws should be seen by the test, not end the process; an aborted sleep has nobody to
      // tell.
      if (!life.aborted) this.answer(request, { error: `bunker script failed: ${messageOf(error)}` }, {});
    } finally {
      // The place is handed on, not freed: a request that arrives just now must not slip in before those that
      // wait.
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
    const outcome = action.error === undefined ? this.perform(request, action) : { error: action.error };
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

  /** @returns the answer, or undefined for a request that is ignored */
  private perform(request: BunkerRequest, action: FaultAction): Partial<BunkerAnswer> | undefined {
    const { method, params, clientPubkey } = request;
    if (!this.isGranted(request) || this.isForgotten(request)) return undefined;
    if (method === 'connect') return this.pair(clientPubkey, params);
    const asksAsStranger = !this.authorisedClients.has(clientPubkey);
    if (asksAsStranger && this.options.grants === undefined) return { error: 'unauthorized' };
    try {
      switch (method) {
        case 'ping':
          return { result: 'pong' };
        case 'get_public_key':
          return { result: action.reportPubkey ?? this.userPubkey };
        case 'switch_relays':
          return { result: 'null' };
        case 'nip44_encrypt':
          return { result: encryptFor(action, this.userSecretKey, params) };
        case 'nip44_decrypt':
          return { result: decrypt(params[1] ?? '', conversationKeyOf(this.userSecretKey, params[0] ?? '')) };
        case 'sign_event':
          return this.sign(params[0] ?? '', action);
        default:
          return { error: `unsupported method: ${method}` };
      }
    } catch (error) {
      return { error: `${method} failed: ${messageOf(error)}` };
    }
  }

  private isForgotten({ method, clientPubkey }: BunkerRequest): boolean {
    const isKnownAgain = method === 'connect' || this.authorisedClients.has(clientPubkey);
    return !isKnownAgain && this.forgotten.has(clientPubkey);
  }

  private isGranted({ method, params, clientPubkey }: BunkerRequest): boolean {
    const { grants } = this.options;
    if (grants === undefined || method === 'get_public_key') return true;
    if (!this.authorisedClients.has(clientPubkey)) return false;
    const asked = method === 'sign_event' ? `sign_event:${kindOf(params[0] ?? '')}` : method;
    return grants.includes(asked);
  }

  private pair(clientPubkey: string, [signerPubkey, secret]: readonly string[]): Partial<BunkerAnswer> {
    if (signerPubkey !== this.signerPubkey) return { error: 'connect names another remote signer' };
    if (this.authorisedClients.has(clientPubkey)) return { result: 'ack' };
    if (secret !== this.secret) return { error: 'invalid secret' };
    if (this.authorisedClients.size > 0) return { error: 'secret already used by another client' };
    this.authorisedClients.add(clientPubkey);
    return { result: 'ack' };
  }

  private sign(templateJson: string, action: FaultAction): Partial<BunkerAnswer> | undefined {
    const template = JSON.parse(templateJson) as EventTemplate & { pubkey?: string };
    // As rust-nostr does it: without a pubkey it is no event to it, and it says nothing.
    if (typeof template.pubkey !== 'string') return undefined;
    if (template.pubkey !== this.userPubkey) return { error: 'the event names another public key' };
    const signed: Event = signWith(action.signWith ?? this.userSecretKey, template);
    const sent = action.mutateEvent?.(signed) ?? signed;
    return { result: JSON.stringify(sent) };
  }
}

function kindOf(template: string): unknown {
  try {
    return (JSON.parse(template) as Partial<EventTemplate>).kind;
  } catch {
    return undefined;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function encryptFor(
  { encryptWith, encryptText }: FaultAction,
  userSecretKey: Uint8Array,
  [peer = '', text = '']: readonly string[],
): string {
  return encrypt(encryptText ?? text, conversationKeyOf(encryptWith ?? userSecretKey, peer));
}
