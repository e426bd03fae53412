import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import { within } from '../../async/wait';
import { withLastWords } from '../../rules/last-words';
import type { SignedEvent } from '../events';
import { FloodGuard, type MessageRate } from './flood-guard';
import { type Filter, parseFrame, type PublishReply } from './frames';
import { Logins } from './logins';
import { openSocket } from './open-socket';
import { plainTextWithout } from './plain-text';
import type { SocketOptions } from './socket-options';
import { secretsIn } from './url';

export interface SubscriptionHandlers {
  onEvent(event: SignedEvent): void;
  onEose?(): void;
  /** The relay ended the subscription, for the reason in its own words. */
  onClosed?(reason: string): void;
  /** A NOTICE came. It may be about another request. */
  onNotice?(text: string): void;
  /** The relay sent a challenge (NIP-42). It may be about another request. */
  onChallenge?(): void;
  /** The connection is gone, and the subscription with it. */
  onLost?(reason: string): void;
}

export interface RelayConnectionOptions extends SocketOptions {
  /** A higher average rate ends the connection. Absent: no limit. */
  maxRate?: MessageRate;
  /** Do not repeat the relay's words: they might hold a secret. */
  withholdsWords?: boolean;
  onNotice?(text: string): void;
  onMalformed?(): void;
  /** Called for each challenge (NIP-42). `logins.authenticate()` answers it. */
  onChallenge?(): void;
  /** Called with the OK to each EVENT, also for those of `send`. */
  onOk?(eventId: string, accepted: boolean, message: string): void;
  /** Called once, when the connection is gone for any reason, with the close code of the relay. */
  onLost?(reason: string, closeCode?: number): void;
}

/**
 * Most bytes that wait to be sent: a relay that stops reading must not fill our memory. Several pages of the
 * largest documents are less.
 */
const MAX_UNSENT_BYTES = 32 * 1024 * 1024;
const PING_INTERVAL_MS = 20_000;

/**
 * One websocket to one relay (NIP-01). When the socket is gone, every waiting call gets `lost`, and the
 * connection is not used again. It never retries: its owner does.
 */
export class RelayConnection {
  readonly url: string;
  readonly openedAtMs = Date.now();
  readonly logins: Logins;
  #socket: WebSocket;
  #subscriptions = new Map<string, SubscriptionHandlers>();
  /** Several calls may wait for the OK of one event id. */
  #waitingForOk = new Map<string, Set<(reply: PublishReply) => void>>();
  #waitingForLoss = new Set<(reason: string) => void>();
  #lost: string | undefined;
  #lastWords: string | undefined;
  #guard: FloodGuard;
  /** The secrets in its own URL. The relay knows them, and everybody may see its words. */
  readonly #secrets: readonly string[];
  #pinger: NodeJS.Timeout | undefined;
  #answeredPing = true;
  #lastNotice: { text: string; atMs: number } | undefined;

  private constructor(
    socket: WebSocket,
    private readonly options: RelayConnectionOptions,
  ) {
    this.url = options.url;
    this.#socket = socket;
    this.#guard = new FloodGuard(options.maxRate);
    this.#secrets = secretsIn(options.url);
    this.logins = new Logins({
      relayUrl: options.url,
      sendForOk: (verb, event, timeoutMs) => this.#sendForOk(verb, event, timeoutMs),
      lastWords: () => this.#lastWords,
    });
    socket.on('message', (data, isBinary) => {
      const text = isBinary ? '' : String(data);
      const flood = this.#guard.note(text.length);
      if (flood !== undefined) this.#lose(flood);
      else if (isBinary) this.#dropMalformed();
      else this.#receive(text);
    });
    socket.on('pong', () => (this.#answeredPing = true));
    socket.on('error', (error) => this.#lose(error.message));
    socket.on('close', (code, reason) => {
      this.#noteWords(this.#words(reason.toString('utf8')));
      this.#lose(`connection closed (${code})`, code);
    });
    this.#pinger = setInterval(() => this.#ping(), PING_INTERVAL_MS);
    this.#pinger.unref();
  }

  /**
   * Opens a connection. Rejects with an Error whose message names the network's reason, never the path of the
   * URL.
   */
  static open(options: RelayConnectionOptions, signal?: AbortSignal): Promise<RelayConnection> {
    // Constructed within the `open` event: the relay's first message (its challenge) can come with the
    // handshake.
    return openSocket(options, (socket) => new RelayConnection(socket, options), signal);
  }

  /**
   * The relay's last words that were no plain answer: a NOTICE, or a reason. Where an answer is missing, they
   * are the diagnosis.
   */
  get lastWords(): string | undefined {
    return this.#lastWords;
  }

  get isOpen(): boolean {
    return this.#lost === undefined && this.#socket.readyState === WebSocket.OPEN;
  }

  /** Sends an event and does not wait for its OK. `false`: the connection is gone. */
  send(event: SignedEvent): boolean {
    return this.#sendFrame(['EVENT', event]);
  }

  /** Sends an event and waits for the relay's OK. */
  publish(event: SignedEvent, timeoutMs: number): Promise<PublishReply> {
    return this.#sendForOk('EVENT', event, timeoutMs);
  }

  async #sendForOk(verb: 'EVENT' | 'AUTH', event: SignedEvent, timeoutMs: number): Promise<PublishReply> {
    let settle: (reply: PublishReply) => void = () => undefined;
    const answered = new Promise<PublishReply>((resolve) => (settle = resolve));
    const lost = (reason: string): void => settle({ kind: 'lost', reason });
    const waiting = this.#waitingForOk.get(event.id) ?? new Set();
    this.#waitingForOk.set(event.id, waiting.add(settle));
    this.#waitingForLoss.add(lost);
    if (!this.#sendFrame([verb, event])) lost(this.#whyLost());
    const reply = await within(answered, timeoutMs);
    waiting.delete(settle);
    if (waiting.size === 0) this.#waitingForOk.delete(event.id);
    this.#waitingForLoss.delete(lost);
    const words = this.#lastWords;
    return reply ?? { kind: 'silent', ...(words === undefined ? {} : { words }) };
  }

  /** Opens a live subscription. It ends with `close()`, with `onClosed`, or with the connection. */
  subscribe(filters: readonly Filter[], handlers: SubscriptionHandlers): { close(): void } {
    const id = randomUUID().slice(0, 13);
    const isSent = this.#sendFrame(['REQ', id, ...filters]);
    this.#subscriptions.set(id, handlers);
    // After this call has returned the subscription.
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
    const frame = parseFrame(text);
    switch (frame?.type) {
      case undefined:
        return this.#dropMalformed();
      case 'EVENT':
        return this.#subscriptions.get(frame.subscription)?.onEvent(frame.event);
      case 'EOSE':
        return this.#subscriptions.get(frame.subscription)?.onEose?.();
      case 'CLOSED': {
        const reason = this.#words(frame.reason);
        this.#noteWords(reason);
        return this.#endSubscription(frame.subscription)?.onClosed?.(reason);
      }
      case 'OK':
        return this.#receiveOk(frame.eventId, frame.accepted, this.#words(frame.message));
      case 'AUTH':
        this.logins.receive(frame.challenge);
        this.options.onChallenge?.();
        for (const handlers of [...this.#subscriptions.values()]) handlers.onChallenge?.();
        return;
      case 'NOTICE':
        return this.#receiveNotice(this.#words(frame.text));
    }
  }

  #receiveOk(eventId: string, accepted: boolean, message: string): void {
    if (!accepted) this.#noteWords(message);
    this.options.onOk?.(eventId, accepted, message);
    for (const settle of [...(this.#waitingForOk.get(eventId) ?? [])])
      settle({ kind: 'ok', accepted, message });
  }

  #endSubscription(id: string): SubscriptionHandlers | undefined {
    const handlers = this.#subscriptions.get(id);
    this.#subscriptions.delete(id);
    return handlers;
  }

  #whyLost(): string {
    return this.#lost ?? 'connection is not open';
  }

  /** The relay's last NOTICE, and when it came. */
  get lastNotice(): { text: string; atMs: number } | undefined {
    return this.#lastNotice;
  }

  /** The relay's words without the secrets of its URL. */
  #words(value: unknown): string {
    return plainTextWithout(this.#secrets, value);
  }

  #noteWords(words: string): void {
    if (words !== '' && !this.options.withholdsWords) this.#lastWords = words;
  }

  #receiveNotice(text: string): void {
    this.#noteWords(text);
    this.#lastNotice = { text, atMs: Date.now() };
    this.options.onNotice?.(text);
    for (const handlers of [...this.#subscriptions.values()]) handlers.onNotice?.(text);
  }

  #dropMalformed(): void {
    this.options.onMalformed?.();
    const flood = this.#guard.noteMalformed();
    if (flood !== undefined) this.#lose(flood);
  }

  #ping(): void {
    // When a peer vanishes without a word, the socket stays "open" for many minutes.
    if (!this.#answeredPing) return this.#lose('no answer to a ping');
    this.#answeredPing = false;
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.ping();
  }

  #lose(why: string, closeCode?: number): void {
    if (this.#lost !== undefined) return;
    const isOurs = why === 'closed by us';
    const reason = isOurs ? why : withLastWords(why, this.#lastWords);
    this.#lost = reason;
    clearInterval(this.#pinger);
    this.#socket.removeAllListeners();
    this.#socket.on('error', () => undefined);
    // A polite close would wait for a peer that may be gone.
    if (isOurs) this.#socket.close();
    const killer = setTimeout(() => this.#socket.terminate(), 1_000);
    killer.unref();
    this.#socket.once('close', () => clearTimeout(killer));
    if (!isOurs) this.#socket.terminate();
    this.logins.close();
    for (const lost of [...this.#waitingForLoss]) lost(reason);
    for (const id of [...this.#subscriptions.keys()]) this.#endSubscription(id)?.onLost?.(reason);
    this.options.onLost?.(reason, closeCode);
  }
}
