import { setTimeout as sleep } from 'node:timers/promises';
import type { SignedEvent } from '../events';
import type { AddressRules } from '../relays/address-rules';
import { RelayConnection } from '../relays/connection';
import { plainText } from '../relays/plain-text';
import { plainNetworkError } from '../relays/plain-network-error';
import { presentableRefusal } from './messages';

export interface LinkOptions {
  url: string;
  connectTimeoutMs: number;
  addressRules: AddressRules;
  /** Absent: whoever writes to the client is heard. */
  bunkerPubkey?: string;
  clientPubkey: string;
  /** Answers a relay's challenge with the client key (NIP-42). */
  authenticate(relayUrl: string, challenge: string): SignedEvent;
  onAnswer(event: SignedEvent, link: BunkerLink): void;
  /** The link can carry requests (again): whatever waits may be sent now. */
  onReady(link: BunkerLink): void;
  /** The relay's OK to a request. Only a hint: some send none for ephemeral events, some refuse and forward. */
  onOk(link: BunkerLink, eventId: string, accepted: boolean, message: string): void;
  /** The relay asks for patience without saying for which request (NOTICE, CLOSED). */
  onThrottled(link: BunkerLink): void;
  onMalformed?(): void;
}

/** Kind of NIP-46 messages; ephemeral, so an answer that nobody listens for is gone. */
export const BUNKER_KIND = 24133;

const FIRST_RECONNECT_MS = 250;
const MAX_RECONNECT_MS = 10_000;
/** The largest answer is a signed document of the largest state, encrypted: well under this. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/** Several times what a bunker at full speed causes: two messages for each request, and the same for another worker. */
const MAX_RATE = { messagesPerS: 4_000, charsPerS: 16 * 1024 * 1024 };
/** Relays that send no EOSE for ephemeral kinds must not hold up the first request. */
const SUBSCRIBED_AFTER_MS = 2_000;
/**
 * Answers that were given while the link was down, where a relay keeps ephemeral events for a while. A number and no date:
 * the clock of a bunker may be minutes off, and its answers must not be filtered out for that.
 */
const OVERLAP_EVENTS = 100;
/** A relay that passes on more in the bunker's name than it can have said is left for a while. */
const MAX_UNREADABLE = 100;
/** How a relay says that it is asked too much: with the prefix of NIP-01, or in words of its own. */
const THROTTLED = /^rate-limited:|rate.?limit|too (many|fast)|slow down/i;
const FIRST_RESUBSCRIBE_MS = 500;
const MAX_RESUBSCRIPTIONS = 5;

/**
 * The way to the bunker over one of its relays: connects, subscribes to the bunker's answers, reports ready, and does so
 * again whenever the connection is lost, until it is closed.
 */
export class BunkerLink {
  readonly url: string;
  #connection: RelayConnection | undefined;
  #ready = false;
  #closing = new AbortController();
  #trouble = 'still connecting';
  #unreadable = 0;
  #waiting = new Set<() => void>();

  constructor(private readonly options: LinkOptions) {
    this.url = options.url;
    void this.#keepConnected();
  }

  get isReady(): boolean {
    return this.#ready;
  }

  /** Why the link is not ready. */
  get trouble(): string {
    return this.#trouble;
  }

  /** Resolves when the link is ready. Rejects when it is not within `timeoutMs`, or is closed before. */
  async untilReady(timeoutMs: number): Promise<void> {
    if (this.#ready) return;
    const { signal } = this.#closing;
    await new Promise<void>((resolve, reject) => {
      const end = (settle: () => void) => (): void => {
        clearTimeout(timer);
        this.#waiting.delete(ready);
        signal.removeEventListener('abort', give);
        settle();
      };
      const give = end(() => reject(new Error(this.#trouble)));
      const ready = end(resolve);
      const timer = setTimeout(give, timeoutMs);
      this.#waiting.add(ready);
      signal.addEventListener('abort', give, { once: true });
      if (signal.aborted) give();
    });
  }

  /** A message came in the bunker's name that the bunker cannot have written. */
  noteUnreadable(): void {
    this.#unreadable += 1;
    // Left, and tried again after pauses that grow: that bounds what it can cost.
    if (this.#unreadable % MAX_UNREADABLE === 0) this.#connection?.close();
  }

  send(event: SignedEvent): boolean {
    return this.#ready && this.#connection !== undefined && this.#connection.send(event);
  }

  close(): void {
    this.#closing.abort();
    this.#ready = false;
    this.#connection?.close();
  }

  async #keepConnected(): Promise<void> {
    const { signal } = this.#closing;
    let pauseMs = FIRST_RECONNECT_MS;
    while (!signal.aborted) {
      const startedAt = Date.now();
      try {
        await this.#connectOnce(signal);
      } catch (thrown) {
        this.#trouble = plainText(plainNetworkError(thrown));
      }
      this.#ready = false;
      // A link that held for a while starts over with short pauses.
      if (Date.now() - startedAt > 30_000) pauseMs = FIRST_RECONNECT_MS;
      await sleep(pauseMs * (0.75 + Math.random() / 2), undefined, { signal, ref: false }).catch(
        () => undefined,
      );
      pauseMs = Math.min(pauseMs * 2, MAX_RECONNECT_MS);
    }
  }

  /** Returns when the connection is lost. */
  async #connectOnce(signal: AbortSignal): Promise<void> {
    let lost: (reason: string) => void = () => undefined;
    const untilLost = new Promise<string>((resolve) => (lost = resolve));
    let onAuthenticated: (accepted: boolean, message: string) => void = () => undefined;
    const connection = await RelayConnection.open(
      {
        url: this.url,
        connectTimeoutMs: this.options.connectTimeoutMs,
        addressRules: this.options.addressRules,
        maxMessageBytes: MAX_MESSAGE_BYTES,
        maxRate: MAX_RATE,
        // Not why: the network's words are not for the stranger who named the relay.
        onLost: () => lost('connection lost'),
        onNotice: (text) => {
          if (THROTTLED.test(text)) this.options.onThrottled(this);
        },
        onOk: (id, accepted, message) => this.options.onOk(this, id, accepted, message),
        onMalformed: () => this.options.onMalformed?.(),
        authenticate: (challenge) => this.options.authenticate(this.url, challenge),
        onAuthenticated: (accepted, message) => onAuthenticated(accepted, message),
      },
      signal,
    );
    this.#connection = connection;
    // Closed in the very moment in which the socket opened: nobody would close it any more.
    if (signal.aborted) return connection.close();

    const end = (reason: string): void => {
      lost(reason);
      connection.close();
    };
    let authenticated = false;
    // A relay that demands authentication (NIP-42) closes the subscription first, and takes it after.
    let closedForAuth = false;
    let resubscriptions = 0;
    let timer: NodeJS.Timeout | undefined;
    onAuthenticated = (accepted, message) => {
      if (!accepted) return end(`authentication refused: ${presentableRefusal(message)}`);
      authenticated = true;
      if (closedForAuth) subscribe();
      else if (this.#ready) this.options.onReady(this);
    };
    const onSubscribed = (): void => {
      clearTimeout(timer);
      if (this.#ready || !connection.isOpen) return;
      this.#ready = true;
      this.options.onReady(this);
      for (const go of [...this.#waiting]) go();
    };
    const onClosed = (reason: string): void => {
      clearTimeout(timer);
      this.#trouble = `subscription refused: ${presentableRefusal(reason)}`;
      if (reason.startsWith('auth-required:') && !closedForAuth) {
        closedForAuth = true;
        timer = setTimeout(() => end(`${this.#trouble}, and no challenge came`), SUBSCRIBED_AFTER_MS);
        if (authenticated) subscribe();
        return;
      }
      if (!THROTTLED.test(reason) || resubscriptions === MAX_RESUBSCRIPTIONS) return end(this.#trouble);
      // Nothing is sent meanwhile: its answer would be heard by nobody.
      this.#ready = false;
      this.options.onThrottled(this);
      timer = setTimeout(subscribe, FIRST_RESUBSCRIBE_MS * 2 ** resubscriptions);
      resubscriptions += 1;
    };
    const subscribe = (): void => {
      clearTimeout(timer);
      timer = setTimeout(onSubscribed, SUBSCRIBED_AFTER_MS);
      connection.subscribe(
        [
          {
            kinds: [BUNKER_KIND],
            ...(this.options.bunkerPubkey === undefined ? {} : { authors: [this.options.bunkerPubkey] }),
            '#p': [this.options.clientPubkey],
            limit: OVERLAP_EVENTS,
          },
        ],
        {
          onEvent: (event) => this.options.onAnswer(event, this),
          onEose: onSubscribed,
          onClosed,
        },
      );
    };
    // Subscribed before the first request goes out: an answer to an unheard subscription is lost for good.
    subscribe();
    this.#trouble = await untilLost;
    clearTimeout(timer);
    this.#ready = false;
    connection.close();
  }
}
