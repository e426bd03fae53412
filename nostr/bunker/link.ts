import { sleep, within } from '../../async/wait';
import type { SignedEvent } from '../events';
import type { AddressRules } from '../relays/address-rules';
import { RelayConnection } from '../relays/connection';
import type { RelayIdentity } from '../relays/identity';
import { plainText } from '../relays/plain-text';
import { plainNetworkError } from '../relays/plain-network-error';
import { saysTooMuch } from '../relays/refusals';
import { Listening } from './listening';
import { lastWordsOf } from './messages';

export interface LinkOptions {
  url: string;
  connectTimeoutMs: number;
  addressRules: AddressRules;
  /** Absent: messages from anybody to the client are heard. */
  bunkerPubkey?: string;
  /** The client key, for a relay that demands a login (NIP-42). */
  identity: RelayIdentity;
  onAnswer(event: SignedEvent, link: BunkerLink): void;
  /** The link can carry requests (again). Open requests may be sent now. */
  onReady(link: BunkerLink): void;
  /**
   * The relay's OK to a request. It is only a hint: some relays send none for ephemeral events, and some
   * refuse and forward.
   */
  onOk(link: BunkerLink, eventId: string, accepted: boolean, message: string): void;
  /** The relay asks us to slow down, and does not say for which request (NOTICE, CLOSED). */
  onThrottled(link: BunkerLink): void;
  onMalformed?(): void;
}

/** Kind of NIP-46 messages. It is ephemeral: an answer that nobody listens for is gone. */
export const BUNKER_KIND = 24133;

const FIRST_RECONNECT_MS = 250;
const MAX_RECONNECT_MS = 10_000;
/** The largest answer is the encrypted, signed document of the largest state. It is well under this. */
const MAX_MESSAGE_BYTES = 256 * 1024;
/**
 * Several times what a bunker at full speed needs: two messages for each request, and the same for another
 * worker.
 */
const MAX_RATE = { messagesPerS: 4_000, charsPerS: 16 * 1024 * 1024 };
/**
 * Answers of the time while the link was down, where a relay keeps ephemeral events for a while. A number and
 * no date: a bunker's clock may be minutes off, and a date would filter its answers out.
 */
const OVERLAP_EVENTS = 100;
/** After so many unreadable messages in the bunker's name the relay is left for a while. */
const MAX_UNREADABLE = 100;

/**
 * The link to the bunker over one of its relays. It connects, subscribes to the bunker's answers and reports
 * ready. It does so again after each lost connection, until it is closed.
 */
export class BunkerLink {
  readonly url: string;
  #connection: RelayConnection | undefined;
  #listening: Listening | undefined;
  #ready = false;
  #closing = new AbortController();
  #trouble = 'still connecting';
  #unreadable = 0;
  #waiting: (() => void)[] = [];
  #resolveFirstTry: () => void = () => undefined;
  #wasTried = false;
  /**
   * Resolves when it is ready for the first time, or has failed: a relay that refuses is known before any
   * deadline.
   */
  readonly firstTry: Promise<void> = new Promise((resolve) => (this.#resolveFirstTry = resolve));

  constructor(private readonly options: LinkOptions) {
    this.url = options.url;
    void this.#keepConnected();
  }

  get wasTried(): boolean {
    return this.#wasTried;
  }

  get isReady(): boolean {
    return this.#ready;
  }

  /** Why the link is not ready. */
  get trouble(): string {
    return this.#trouble;
  }

  /** The last word of its relay, where the protocol has a word for it. */
  get lastWords(): string | undefined {
    return lastWordsOf(this.#connection?.lastWords);
  }

  /** Resolves when the link is ready. Rejects when it is not ready within `timeoutMs`, or is closed. */
  async untilReady(timeoutMs: number): Promise<void> {
    if (this.#ready) return;
    const ready = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await within(ready, timeoutMs, this.#closing.signal).catch(() => undefined);
    if (!this.#ready) throw new Error(this.#trouble);
  }

  /** A message came in the bunker's name that the bunker cannot have written. */
  noteUnreadable(): void {
    this.#unreadable += 1;
    // The relay is left, and tried again after growing pauses. That bounds what it can cost.
    if (this.#unreadable % MAX_UNREADABLE === 0) this.#connection?.close();
  }

  send(event: SignedEvent): boolean {
    return this.#ready && this.#connection !== undefined && this.#connection.send(event);
  }

  close(): void {
    this.#closing.abort();
    this.#ready = false;
    this.#tried();
    this.#connection?.close();
  }

  #tried(): void {
    this.#wasTried = true;
    this.#resolveFirstTry();
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
      this.#tried();
      // After a connection that held for a while the pauses start short again.
      if (Date.now() - startedAt > 30_000) pauseMs = FIRST_RECONNECT_MS;
      await sleep(pauseMs * (0.75 + Math.random() / 2), signal, { ref: false }).catch(() => undefined);
      pauseMs = Math.min(pauseMs * 2, MAX_RECONNECT_MS);
    }
  }

  /** Returns when the connection is lost. */
  async #connectOnce(signal: AbortSignal): Promise<void> {
    let lost: (reason: string) => void = () => undefined;
    const untilLost = new Promise<string>((resolve) => (lost = resolve));
    this.#listening = undefined;
    const connection = await RelayConnection.open(
      {
        url: this.url,
        connectTimeoutMs: this.options.connectTimeoutMs,
        addressRules: this.options.addressRules,
        maxMessageBytes: MAX_MESSAGE_BYTES,
        maxRate: MAX_RATE,
        // Not the network's own words: the stranger who named the relay must not see them.
        onLost: (_, closeCode) => lost(whyLost(closeCode, this.lastWords)),
        onNotice: (text) => {
          if (saysTooMuch(text)) this.options.onThrottled(this);
        },
        onOk: (id, accepted, message) => {
          this.#listening?.noteOk(accepted, message);
          this.options.onOk(this, id, accepted, message);
        },
        onMalformed: () => this.options.onMalformed?.(),
        onChallenge: () => void this.#listening?.answerChallenges(),
      },
      signal,
    );
    this.#connection = connection;
    // It was closed at the moment the socket opened: nobody else would close that connection.
    if (signal.aborted) return connection.close();
    const listening = this.#listenOn(connection, (reason) => {
      lost(reason);
      connection.close();
    });
    this.#listening = listening;
    // It subscribes before the first request goes out: an answer without a subscription is lost.
    listening.start();
    // The challenge may have come with the handshake.
    void listening.answerChallenges();
    this.#trouble = await untilLost;
    listening.stop();
    this.#ready = false;
    connection.close();
  }

  #listenOn(connection: RelayConnection, onEnd: (reason: string) => void): Listening {
    const { bunkerPubkey, identity } = this.options;
    return new Listening({
      connection,
      identity,
      filter: {
        kinds: [BUNKER_KIND],
        ...(bunkerPubkey === undefined ? {} : { authors: [bunkerPubkey] }),
        '#p': [identity.pubkey],
        limit: OVERLAP_EVENTS,
      },
      onEvent: (event) => this.options.onAnswer(event, this),
      onHeard: () => {
        if (this.#ready || !connection.isOpen) return;
        this.#ready = true;
        this.#tried();
        this.options.onReady(this);
        for (const go of this.#waiting.splice(0)) go();
      },
      onUnheard: (trouble) => {
        this.#trouble = trouble;
        this.#ready = false;
      },
      onThrottled: () => this.options.onThrottled(this),
      onEnd,
    });
  }
}

/** 1005 and 1006: the relay gave no code. */
function whyLost(closeCode: number | undefined, words: string | undefined): string {
  if (closeCode === undefined || closeCode === 1005 || closeCode === 1006) return 'connection lost';
  return `connection closed (${words === undefined ? closeCode : `${closeCode}: ${words}`})`;
}
