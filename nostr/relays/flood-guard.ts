/** What a peer may send on average. */
export interface MessageRate {
  messagesPerS: number;
  /** Characters of text, which is what they cost to read. */
  charsPerS: number;
}

/** Each costs something; a peer that sends only these is not worth listening to. */
const MAX_MALFORMED = 1_000;
/** Long enough for a burst after a reconnect. */
const WINDOW_S = 5;

/** Counts what comes in on one connection, and says when that is more than anybody honest would send. */
export class FloodGuard {
  #malformed = 0;
  #messages = 0;
  #chars = 0;
  #windowEndMs = 0;

  constructor(
    private readonly rate?: MessageRate,
    private readonly nowMs: () => number = Date.now,
  ) {}

  /** A message of so many characters has come. @returns why it should be the last one, if it should */
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

  /** The message was no Nostr message. @returns why it should be the last one, if it should */
  noteMalformed(): string | undefined {
    this.#malformed += 1;
    return this.#malformed < MAX_MALFORMED ? undefined : 'the relay sends what is no Nostr message';
  }
}
