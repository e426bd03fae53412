import { onTimeout, sleep } from '../../async/wait';
import type { SignedEvent } from '../events';
import type { RelayConnection } from '../relays/connection';
import type { Filter } from '../relays/frames';
import type { AuthReply, RelayIdentity } from '../relays/identity';
import { meaningOfRefusal, saysTooMuch } from '../relays/refusals';
import { presentableRefusal } from './messages';

export interface ListeningOptions {
  connection: RelayConnection;
  /** The filter of the subscription that finds the bunker's answers. */
  filter: Filter;
  /** The client key, for a relay that demands a login (NIP-42). */
  identity: RelayIdentity;
  onEvent(event: SignedEvent): void;
  /** From now on an answer would be heard. */
  onHeard(): void;
  /** From now on no answer would be heard, for this reason. */
  onUnheard(trouble: string): void;
  onThrottled(): void;
  /** This connection cannot be listened on. */
  onEnd(trouble: string): void;
}

/** Some relays send no EOSE for ephemeral kinds. They must not hold up the first request. */
const SUBSCRIBED_AFTER_MS = 2_000;
/** Pause between two logins: a relay that sends a thousand challenges does not get a thousand signatures. */
const LOGINS_APART_MS = 1_000;
const AUTH_TIMEOUT_MS = 5_000;
const FIRST_RESUBSCRIBE_MS = 500;
const MAX_RESUBSCRIPTIONS = 5;
/**
 * Most demands for a login in a row. A second one means that the relay forgot the login; the
 * connection is closed at the next one.
 */
const MAX_DEMANDS = 2;

/** The subscription to a bunker's answers on one connection, and the login (NIP-42) that it may need. */
export class Listening {
  #subscription: { close(): void } | undefined;
  /** The relay has sent EOSE for it. */
  #isConfirmed = false;
  #resubscriptions = 0;
  #demands = 0;
  #stopTimer: () => void = () => undefined;
  /** The challenge that was answered last. */
  #answered: string | undefined;
  #isAnswering = false;
  #loggedInAtMs = 0;

  constructor(private readonly options: ListeningOptions) {}

  start(): void {
    this.#subscribe();
  }

  stop(): void {
    this.#stopTimer();
  }

  /**
   * Answers the newest challenge, and again if another one came meanwhile. Many relays send a challenge and
   * need no answer, so a refusal changes nothing.
   */
  async answerChallenges(): Promise<void> {
    const { connection } = this.options;
    if (this.#isAnswering) return;
    this.#isAnswering = true;
    while (connection.isOpen && connection.logins.challenge !== this.#answered) {
      this.#answered = connection.logins.challenge;
      const reply = await this.#logIn(this.#currentLogin());
      // LNbits' relay sends its challenge in place of an answer to the subscription.
      if (reply.kind === 'accepted' && !this.#isConfirmed) this.#subscribe();
      await sleep(LOGINS_APART_MS, undefined, { ref: false });
    }
    this.#isAnswering = false;
  }

  /** Takes the relay's OK to a request. */
  noteOk(accepted: boolean, message: string): void {
    if (accepted) this.#demands = 0;
    if (accepted || meaningOfRefusal(message) !== 'authenticate') return;
    if (Date.now() - this.#loggedInAtMs > LOGINS_APART_MS)
      void this.#meetDemand(this.#currentLogin(), 'requests refused: auth-required');
  }

  #subscribe(): void {
    this.#stopTimer();
    this.#stopTimer = onTimeout(SUBSCRIBED_AFTER_MS, () => this.options.onHeard());
    const { connection, filter, onEvent } = this.options;
    const before = this.#subscription;
    const login = this.#currentLogin();
    this.#isConfirmed = false;
    const subscription = connection.subscribe([filter], {
      onEvent,
      onEose: () => {
        if (this.#subscription !== subscription) return;
        this.#stopTimer();
        this.#isConfirmed = true;
        this.#demands = 0;
        this.options.onHeard();
      },
      onClosed: (reason) => this.#subscription === subscription && this.#noteClosed(reason, login),
    });
    this.#subscription = subscription;
    before?.close();
  }

  #noteClosed(reason: string, login: AuthReply | undefined): void {
    this.#stopTimer();
    this.#subscription = undefined;
    const trouble = `subscription refused: ${presentableRefusal(reason)}`;
    // Nothing is sent meanwhile: nobody would hear the answer.
    this.options.onUnheard(trouble);
    if (meaningOfRefusal(reason) === 'authenticate') {
      void this.#meetDemand(login, trouble).then((isIn) => isIn && this.#subscribe());
      return;
    }
    if (!saysTooMuch(reason) || this.#resubscriptions === MAX_RESUBSCRIPTIONS)
      return this.options.onEnd(trouble);
    this.options.onThrottled();
    const pauseMs = FIRST_RESUBSCRIBE_MS * 2 ** this.#resubscriptions;
    this.#stopTimer = onTimeout(pauseMs, () => this.#subscribe());
    this.#resubscriptions += 1;
  }

  /**
   * Logs in with the newest challenge, because the relay demands it.
   *
   * @param worthless the login that stood when the relay demanded one
   */
  async #meetDemand(worthless: AuthReply | undefined, trouble: string): Promise<boolean> {
    const { onEnd } = this.options;
    this.#demands += 1;
    if (this.#demands > MAX_DEMANDS) {
      onEnd(trouble);
      return false;
    }
    const reply = await this.#logIn(worthless);
    if (reply.kind === 'refused') onEnd(`authentication refused: ${presentableRefusal(reply.reason)}`);
    // The reason of a lost connection is in the network's words, which are not repeated.
    else if (reply.kind !== 'accepted') onEnd(`${trouble}, and no challenge came`);
    return reply.kind === 'accepted';
  }

  #currentLogin(): AuthReply | undefined {
    return this.options.connection.logins.loginOf(this.options.identity.pubkey);
  }

  #logIn(insteadOf: AuthReply | undefined): Promise<AuthReply> {
    const { connection, identity } = this.options;
    this.#loggedInAtMs = Date.now();
    return connection.logins.authenticate(identity, AUTH_TIMEOUT_MS, insteadOf);
  }
}
