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
  /** Absent: whoever writes to the client is heard. */
  bunkerPubkey?: string;
  /** The client key, for a relay that wants to know who comes (NIP-42). */
  identity: RelayIdentity;
  onAnswer(event: SignedEvent, link: BunkerLink): void;
  /** The link can carry requests (again): whatever waits may be sent now. */
  onReady(link: BunkerLink): void;
  /**
   * The relay's OK to a request. Only a hint: some send none for ephemeral events, some refuse and forward.
   */
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
/**
 * Several times what a bunker at full speed causes: two messages for each request, and the same for another
 * worker.
 */
const MAX_RATE = { messagesPerS: 4_000, charsPerS: 16 * 1024 * 1024 };
/**
 * Answers that were given while the link was down, where a relay keeps ephemeral events for a while. A number
 * and no date: the clock of a bunker may be minutes off, and its answers must not be filtered out for that.
 */
const OVERLAP_EVENTS = 100;
/** A relay that passes on more in the bunker's name than it can have said is left for a while. */
const MAX_UNREADABLE = 100;

/**
 * The way to the bunker over one of its relays: connects, subscribes to the bunker's answers, reports ready,
 * and does so again whenever the connection is lost, until it is closed.
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
   * Resolves when it is ready for the first time, or has failed to be: one that refuses is known before any
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

  /** What its relay has said last, as far as the protocol has a word for it. */
  get lastWords(): string | undefined {
    return lastWordsOf(this.#connection?.lastWords);
  }

  /** Resolves when the link is ready. Rejects when it is not within `timeoutMs`, or is closed before. */
  async untilReady(timeoutMs: number): Promise<void> {
    if (this.#ready) return;
    const ready = new Promise<void>((resolve) => this.#waiting.push(resolve));
    await within(ready, timeoutMs, this.#closing.signal).catch(() => undefined);
    if (!this.#ready) throw new Error(this.#trouble);
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
      // A link that held for a while starts over with short pauses.
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
        // Not in the network's words: they are not for the stranger who named the relay.
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
    // Closed in the very moment in which the socket opened: nobody would close it any more.
    if (signal.aborted) return connection.close();
    const listening = this.#listenOn(connection, (reason) => {
      lost(reason);
      connection.close();
    });
    this.#listening = listening;
    // Subscribed before the first request goes out: an answer to an unheard subscription is lost for good.
    listening.start();
    // It may have come with the handshake.
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

/** 1005 and 1006: it gave none. */
function whyLost(closeCode: number | undefined, words: string | undefined): string {
  if (closeCode === undefined || closeCode === 1005 || closeCode === 1006) return 'connection lost';
  return `connection closed (${words === undefined ? closeCode : `${closeCode}: ${words}`})`;
}
