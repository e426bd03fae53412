/** The average rate that a peer may send at. */
export interface MessageRate {
  messagesPerS: number;
  /** Characters of text: they are what reading costs. */
  charsPerS: number;
}

/** Each costs something, and no honest relay sends so many. */
const MAX_MALFORMED = 1_000;
/** Long enough for a burst after a reconnect. */
const WINDOW_S = 5;

/** Counts the messages of one connection, and says when an honest relay would not send so many. */
export class FloodGuard {
  #malformed = 0;
  #messages = 0;
  #chars = 0;
  #windowEndMs = 0;

  constructor(
    private readonly rate?: MessageRate,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** Counts a message of so many characters. @returns why to end the connection, or undefined */
  note(chars: number): string | undefined {
    if (this.rate === undefined) return undefined;
    const nowMs = this.nowMs();
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + WINDOW_S * 1_000;
      this.#messages = 0;
      this.#chars = 0;
    }
    this.#messages += 1;
    this.#chars += chars;
    const { messagesPerS, charsPerS } = this.rate;
    return this.#messages > messagesPerS * WINDOW_S || this.#chars > charsPerS * WINDOW_S
      ? 'the relay sends more than can be listened to'
      : undefined;
  }

  /** Counts a message that is no Nostr message. @returns why to end the connection, or undefined */
  noteMalformed(): string | undefined {
    this.#malformed += 1;
    return this.#malformed < MAX_MALFORMED ? undefined : 'the relay sends what is no Nostr message';
  }
}
