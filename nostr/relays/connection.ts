import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { ensureError } from '../../contract/failures';
import { hasEventShape, type SignedEvent } from '../events';
import { FloodGuard, type MessageRate } from './flood-guard';
import { type AuthReply, authEvent, AuthWithheld, type RelayIdentity } from './identity';
import { type AddressRules, lookupWithin, requireAllowedUrl } from './address-rules';
import { plainText } from './plain-text';

/** Filter of NIP-01, as far as it is used here. */
export interface Filter {
  ids?: string[];
  authors?: string[];
  kinds?: number[];
  since?: number;
  until?: number;
  limit?: number;
  '#d'?: string[];
  '#p'?: string[];
}

/** How a relay answered EVENT. `silent`: no OK came in time, so the event may or may not be stored. */
export type PublishReply =
  { kind: 'ok'; accepted: boolean; message: string } | { kind: 'silent' } | { kind: 'lost'; reason: string };

export interface SubscriptionHandlers {
  onEvent(event: SignedEvent): void;
  onEose?(): void;
  /** The relay ended the subscription; the text is its own. */
  onClosed?(reason: string): void;
  /** A NOTICE came, which does not say for whom. */
  onNotice?(text: string): void;
  /** The connection is gone, and the subscription with it. */
  onLost?(reason: string): void;
}

export interface RelayConnectionOptions {
  url: string;
  connectTimeoutMs: number;
  /** For a relay that a stranger named. Absent: the relay may be anywhere. */
  addressRules?: AddressRules;
  /** Larger messages end the connection: nothing that is read here comes near. */
  maxMessageBytes?: number;
  /** More than that, on average, ends the connection. Absent: as much as the relay sends. */
  maxRate?: MessageRate;
  onNotice?(text: string): void;
  onMalformed?(): void;
  /** Answers the relay's challenge (NIP-42) at once. Absent: only when `authenticate()` is called. */
  authenticate?(challenge: string): SignedEvent;
  /** Told how the relay took the answer to its challenge. */
  onAuthenticated?(accepted: boolean, message: string): void;
  /** Told the answer to each EVENT, also to those sent without waiting for it. */
  onOk?(eventId: string, accepted: boolean, message: string): void;
  /** Called once, when the connection is gone for whatever reason. */
  onLost?(reason: string): void;
}

const DEFAULT_MAX_MESSAGE_BYTES = 1024 * 1024;
/**
 * A relay that stops reading must not make us keep everything for it. Several pages of the largest documents
 * at once are less.
 */
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;
const MAX_CHALLENGE_LENGTH = 500;
const CHALLENGE_TIMEOUT_MS = 2_000;
const PING_INTERVAL_MS = 20_000;

/**
 * One websocket to one relay, speaking NIP-01. It lives once: when the socket is gone every waiting call is
 * told `lost` and the connection is not used again. Nothing here retries; that is the business of whoever
 * holds it.
 */
export class RelayConnection {
  readonly url: string;
  #socket: WebSocket;
  #subscriptions = new Map<string, SubscriptionHandlers>();
  /** Several calls may wait for the OK of one event id; each is told. */
  #waitingForOk = new Map<string, Set<(reply: PublishReply) => void>>();
  #waitingForLoss = new Set<(reason: string) => void>();
  #lost: string | undefined;
  #authEventId: string | undefined;
  #guard: FloodGuard;
  /** The newest challenge; it stands as long as the connection. */
  #challenge: string | undefined;
  #waitingForChallenge = new Set<() => void>();
  /** By key and challenge. */
  #authentications = new Map<string, Promise<AuthReply>>();
  #pinger: NodeJS.Timeout | undefined;
  #answeredPing = true;

  private constructor(
    socket: WebSocket,
    private readonly options: RelayConnectionOptions,
  ) {
    this.url = options.url;
    this.#socket = socket;
    this.#guard = new FloodGuard(options.maxRate);
    socket.on('message', (data, isBinary) => {
      const text = isBinary ? '' : String(data);
      const flood = this.#guard.note(text.length);
      if (flood !== undefined) this.#lose(flood);
      else if (isBinary) this.#dropMalformed();
      else this.#receive(text);
    });
    socket.on('pong', () => (this.#answeredPing = true));
    socket.on('error', (error) => this.#lose(error.message));
    socket.on('close', (code) => this.#lose(`connection closed (${code})`));
    this.#pinger = setInterval(() => this.#ping(), PING_INTERVAL_MS);
    this.#pinger.unref();
  }

  /**
   * Opens a connection. Rejects with an Error whose message names the network's reason, never the path of the
   * URL.
   */
  static async open(options: RelayConnectionOptions, signal?: AbortSignal): Promise<RelayConnection> {
    signal?.throwIfAborted();
    // ws would repeat the URL in its own message, and the path may hold a token.
    if (!URL.canParse(options.url)) throw new Error('the relay URL is not valid');
    const { addressRules } = options;
    if (addressRules) requireAllowedUrl(options.url, addressRules);
    const socket = new WebSocket(options.url, {
      handshakeTimeout: options.connectTimeoutMs,
      maxPayload: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      followRedirects: false,
      ...(addressRules && { lookup: lookupWithin(addressRules, options.url) }),
    });
    // handshakeTimeout begins with the request; a name server that does not answer comes before it.
    const timer = setTimeout(() => socket.terminate(), options.connectTimeoutMs + 500);
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<RelayConnection>((resolve, reject) => {
        // Listening within the event itself: a relay's first message (its challenge) can come with the
        // handshake.
        socket.once('open', () => resolve(new RelayConnection(socket, options)));
        socket.once('error', (error) => reject(ensureError(error)));
        socket.once('close', () => reject(new Error('connection closed before it was open')));
      });
    } catch (error) {
      // Terminating a socket that is still connecting raises one more error.
      socket.on('error', () => undefined);
      socket.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    }
  }

  get isOpen(): boolean {
    return this.#lost === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  /** Sends an event at once and without waiting for its OK; `false` when the connection is gone. */
  send(event: SignedEvent): boolean {
    return this.#sendFrame(['EVENT', event]);
  }

  /** Sends an event and waits for the relay's OK. */
  publish(event: SignedEvent, timeoutMs: number): Promise<PublishReply> {
    return this.#sendForOk('EVENT', event, timeoutMs);
  }

  /**
   * Answers the relay's challenge (NIP-42) as `identity`, once for each key and challenge: all who need it
   * share the answer. A relay may know several keys on one connection.
   */
  async authenticate(identity: RelayIdentity, timeoutMs: number): Promise<AuthReply> {
    const challenge = await this.#untilChallenged(Math.min(timeoutMs, CHALLENGE_TIMEOUT_MS));
    if (challenge === undefined) return { kind: 'failed', reason: 'no challenge came' };
    const key = `${identity.pubkey} ${challenge}`;
    const known = this.#authentications.get(key);
    if (known !== undefined) return known;
    const reply = this.#authenticateAs(identity, challenge, timeoutMs);
    this.#authentications.set(key, reply);
    // A signer that did not answer may do so the next time, and one that may not be asked be replaced by one
    // that may.
    const { kind } = await reply;
    if (kind === 'failed' || kind === 'withheld') this.#authentications.delete(key);
    return reply;
  }

  async #authenticateAs(
    { pubkey, sign }: RelayIdentity,
    challenge: string,
    timeoutMs: number,
  ): Promise<AuthReply> {
    let event: SignedEvent;
    try {
      event = await sign(authEvent(pubkey, this.url, challenge));
    } catch (thrown) {
      const { message } = ensureError(thrown);
      const kind = thrown instanceof AuthWithheld ? 'withheld' : 'failed';
      return { kind, reason: `no signature for it: ${message}` };
    }
    const reply = await this.#sendForOk('AUTH', event, timeoutMs);
    if (reply.kind === 'silent') return { kind: 'failed', reason: 'no answer to it' };
    if (reply.kind === 'lost') return { kind: 'failed', reason: reply.reason };
    return reply.accepted ? { kind: 'accepted' } : { kind: 'refused', reason: reply.message };
  }

  /** The challenge usually comes first, but may come with the refusal. */
  async #untilChallenged(timeoutMs: number): Promise<string | undefined> {
    if (this.#challenge === undefined && this.isOpen) {
      await new Promise<void>((resolve) => {
        const go = (): void => {
          clearTimeout(timer);
          this.#waitingForChallenge.delete(go);
          this.#waitingForLoss.delete(go);
          resolve();
        };
        const timer = setTimeout(go, timeoutMs);
        this.#waitingForChallenge.add(go);
        this.#waitingForLoss.add(go);
      });
    }
    return this.#challenge;
  }

  #sendForOk(verb: 'EVENT' | 'AUTH', event: SignedEvent, timeoutMs: number): Promise<PublishReply> {
    return new Promise((resolve) => {
      const settle = (reply: PublishReply): void => {
        clearTimeout(timer);
        this.#waitingForLoss.delete(lost);
        const waiting = this.#waitingForOk.get(event.id);
        waiting?.delete(settle);
        if (waiting?.size === 0) this.#waitingForOk.delete(event.id);
        resolve(reply);
      };
      const lost = (reason: string): void => settle({ kind: 'lost', reason });
      const timer = setTimeout(() => settle({ kind: 'silent' }), timeoutMs);
      const waiting = this.#waitingForOk.get(event.id) ?? new Set();
      this.#waitingForOk.set(event.id, waiting.add(settle));
      this.#waitingForLoss.add(lost);
      if (!this.#sendFrame([verb, event])) lost(this.#whyLost());
    });
  }

  /** Opens a live subscription. It ends with `close()`, with `onClosed`, or with the connection. */
  subscribe(filters: readonly Filter[], handlers: SubscriptionHandlers): { close(): void } {
    const id = randomUUID().slice(0, 13);
    const isSent = this.#sendFrame(['REQ', id, ...filters]);
    this.#subscriptions.set(id, handlers);
    // Not before the caller has the subscription.
    if (!isSent) queueMicrotask(() => this.#endSubscription(id)?.onLost?.(this.#whyLost()));
    return {
      close: () => {
        if (!this.#subscriptions.delete(id)) return;
        this.#sendFrame(['CLOSE', id]);
      },
    };
  }

  close(): void {
    this.#lose('closed by us');
  }

  #sendFrame(frame: unknown[]): boolean {
    if (!this.isOpen) return false;
    if (this.#socket.bufferedAmount > MAX_UNSENT_BYTES) {
      this.#lose('the relay does not read what is sent to it');
      return false;
    }
    this.#socket.send(JSON.stringify(frame), (error) => error && this.#lose(error.message));
    return true;
  }

  #receive(text: string): void {
    let frame: unknown;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#dropMalformed();
    }
    if (!Array.isArray(frame)) return this.#dropMalformed();
    const [type, first, second, third] = frame as unknown[];
    // Never String(): {"toString":1} throws there, and what is thrown in a socket's listener ends the
    // process.
    if (typeof first !== 'string') return this.#dropMalformed();
    switch (type) {
      case 'EVENT':
        if (!hasEventShape(second)) return this.#dropMalformed();
        this.#subscriptions.get(first)?.onEvent(second);
        return;
      case 'EOSE':
        this.#subscriptions.get(first)?.onEose?.();
        return;
      case 'CLOSED':
        this.#endSubscription(first)?.onClosed?.(plainText(second));
        return;
      case 'OK': {
        const message = plainText(third);
        if (first === this.#authEventId) this.options.onAuthenticated?.(second === true, message);
        this.options.onOk?.(first, second === true, message);
        for (const settle of [...(this.#waitingForOk.get(first) ?? [])]) {
          settle({ kind: 'ok', accepted: second === true, message });
        }
        return;
      }
      case 'AUTH':
        if (first.length <= MAX_CHALLENGE_LENGTH) this.#receiveChallenge(first);
        return;
      case 'NOTICE':
        this.#receiveNotice(plainText(first));
        return;
    }
  }

  #endSubscription(id: string): SubscriptionHandlers | undefined {
    const handlers = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    return handlers;
  }

  #whyLost(): string {
    return this.#lost ?? 'connection is not open';
  }

  #receiveNotice(text: string): void {
    this.options.onNotice?.(text);
    for (const handlers of [...this.#subscriptions.values()]) handlers.onNotice?.(text);
  }

  #dropMalformed(): void {
    this.options.onMalformed?.();
    const flood = this.#guard.noteMalformed();
    if (flood !== undefined) this.#lose(flood);
  }

  #receiveChallenge(challenge: string): void {
    this.#challenge = challenge;
    for (const go of [...this.#waitingForChallenge]) go();
    // One challenge for each connection: a relay that sends a thousand does not get a thousand signatures.
    if (this.#authEventId !== undefined || this.options.authenticate === undefined) return;
    const event = this.options.authenticate(challenge);
    this.#authEventId = event.id;
    this.#sendFrame(['AUTH', event]);
  }

  #ping(): void {
    // A peer that vanished without a word keeps the socket "open" for many minutes.
    if (!this.#answeredPing) return this.#lose('no answer to a ping');
    this.#answeredPing = false;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #lose(reason: string): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    clearInterval(this.#pinger);
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => undefined);
    // A polite close would wait for the peer; what is lost here has no more to say.
    if (reason === 'closed by us') this.#socket.close();
    const killer = setTimeout(() => this.#socket.terminate(), 1_000);
    killer.unref();
    this.#socket.once('close', () => clearTimeout(killer));
    if (reason !== 'closed by us') this.#socket.terminate();
    for (const lost of [...this.#waitingForLoss]) lost(reason);
    for (const id of [...this.#subscriptions.keys()]) this.#endSubscription(id)?.onLost?.(reason);
    this.options.onLost?.(reason);
  }
}
