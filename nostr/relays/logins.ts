import { ensureError, failureTypeOf, traitsOf } from '../../contract/failures';
import { withLastWords } from '../../rules/last-words';
import type { SignedEvent, UnsignedEvent } from '../events';
import type { PublishReply } from './frames';
import { type AuthReply, authEvent, AuthWithheld, type RelayIdentity } from './identity';
import { within } from '../../async/wait';

const MAX_CHALLENGE_LENGTH = 500;
/** The challenge usually comes first, but may come with the refusal. */
const CHALLENGE_TIMEOUT_MS = 2_000;
/** Some relays take AUTH and send no OK. After this time the login is taken as accepted. */
const OK_MS = 1_000;
/** Most time from the date of a login to its signature. Relays take a date up to ten minutes old (NIP-42). */
const SIGNED_WITHIN_MS = 8 * 60_000;

interface Login {
  reply: Promise<AuthReply>;
  /** The same reply, once it is there. */
  ended?: AuthReply;
}

export interface LoginsOptions {
  /** The URL as the login event has to name it. */
  relayUrl: string;
  sendForOk(verb: 'AUTH' | 'EVENT', event: SignedEvent, timeoutMs: number): Promise<PublishReply>;
  lastWords(): string | undefined;
}

/**
 * The logins of one connection (NIP-42). All who need a login share it: each costs a signature at a bunker,
 * and perhaps a person's time.
 */
export class Logins {
  readonly #byKey = new Map<string, Login>();
  /** By key: the login that a signer has not signed yet. The next attempt asks it to sign the same event. */
  readonly #unanswered = new Map<string, { event: UnsignedEvent; challenge: string; atMs: number }>();
  readonly #waiting = new Set<() => void>();
  #challenge: string | undefined;
  /** How many challenges came, repeated ones included. */
  #challenges = 0;
  #isClosed = false;

  constructor(private readonly options: LoginsOptions) {}

  /** The newest. */
  get challenge(): string | undefined {
    return this.#challenge;
  }

  receive(challenge: string): void {
    if (challenge.length > MAX_CHALLENGE_LENGTH) return;
    this.#challenge = challenge;
    this.#challenges += 1;
    this.#tellWaiting();
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
    this.#tellWaiting();
  }

  /** The newest challenge, or the first that comes within this time. */
  async untilChallenged(timeoutMs: number): Promise<string | undefined> {
    if (this.#challenge === undefined && !this.#isClosed && timeoutMs > 0) {
      let go: () => void = () => undefined;
      await within(new Promise<void>((resolve) => this.#waiting.add((go = resolve))), timeoutMs);
      this.#waiting.delete(go);
    }
    return this.#challenge;
  }

  /** The present login of this key, as far as is known. */
  loginOf(pubkey: string): AuthReply | undefined {
    return this.#byKey.get(pubkey)?.ended;
  }

  /**
   * Answers the newest challenge as `identity`, unless that was done. Never rejects.
   *
   * @param insteadOf a login that turned out to be worthless
   */
  async authenticate(identity: RelayIdentity, timeoutMs: number, insteadOf?: AuthReply): Promise<AuthReply> {
    const known = this.#byKey.get(identity.pubkey);
    if (known !== undefined && known.ended === undefined) return known.reply;
    if (known?.ended !== undefined && known.ended !== insteadOf) return known.ended;
    const login: Login = { reply: this.#login(identity, timeoutMs) };
    this.#byKey.set(identity.pubkey, login);
    login.ended = await login.reply;
    // A signer that failed may succeed the next time, and one that withholds may be replaced.
    const { kind } = login.ended;
    const isStill = this.#byKey.get(identity.pubkey) === login;
    if (isStill && (kind === 'failed' || kind === 'withheld')) this.#byKey.delete(identity.pubkey);
    return login.ended;
  }

  async #login(identity: RelayIdentity, timeoutMs: number): Promise<AuthReply> {
    const challenge = await this.untilChallenged(Math.min(timeoutMs, CHALLENGE_TIMEOUT_MS));
    if (challenge === undefined)
      return { kind: 'failed', reason: withLastWords('no challenge came', this.options.lastWords()) };
    const reply = await this.#answer(identity, challenge, timeoutMs);
    // A new challenge came while the signer signed: only the newest one counts.
    const isOutdated = reply.kind === 'refused' && this.#challenge !== challenge;
    return isOutdated ? this.#answer(identity, this.#challenge ?? challenge, timeoutMs) : reply;
  }

  async #answer(identity: RelayIdentity, challenge: string, timeoutMs: number): Promise<AuthReply> {
    const { sendForOk } = this.options;
    let event: SignedEvent;
    try {
      event = await identity.sign(this.#eventFor(identity.pubkey, challenge));
      this.#unanswered.delete(identity.pubkey);
    } catch (thrown) {
      const { message } = ensureError(thrown);
      // After a refusal the signer gets another event: some bunkers repeat what they have said to a request.
      if (traitsOf(failureTypeOf(thrown)).bunkerResult === 'refused')
        this.#unanswered.delete(identity.pubkey);
      const kind = thrown instanceof AuthWithheld ? 'withheld' : 'failed';
      return { kind, reason: `no signature for it: ${message}` };
    }
    const before = this.#challenges;
    const whole = sendForOk('AUTH', event, timeoutMs).then(replyOf);
    const reply = await within(whole, OK_MS);
    if (reply !== undefined) return reply;
    // LNbits' relay answers AUTH with the same challenge, and takes the login as an EVENT.
    if (this.#challenges > before && this.#challenge === challenge) {
      void sendForOk('EVENT', event, timeoutMs);
      const second = await within(whole, OK_MS);
      if (second !== undefined) return second;
    }
    void whole.then((late) => this.#note(identity.pubkey, late));
    return { kind: 'accepted' };
  }

  #eventFor(pubkey: string, challenge: string): UnsignedEvent {
    const nowMs = Date.now();
    const asked = this.#unanswered.get(pubkey);
    if (asked?.challenge === challenge && nowMs - asked.atMs < SIGNED_WITHIN_MS) return asked.event;
    const event = authEvent(pubkey, this.options.relayUrl, challenge);
    this.#unanswered.set(pubkey, { event, challenge, atMs: nowMs });
    return event;
  }

  /** A late refusal replaces a login that was taken as accepted, so no signer is asked for it again. */
  #note(pubkey: string, late: AuthReply): void {
    const login = this.#byKey.get(pubkey);
    if (late.kind === 'refused' && login?.ended?.kind === 'accepted') login.ended = late;
  }

  #tellWaiting(): void {
    for (const go of [...this.#waiting]) go();
  }
}

function replyOf(reply: PublishReply): AuthReply {
  // No OK came: the next question shows whether the login was accepted.
  if (reply.kind === 'silent') return { kind: 'accepted' };
  if (reply.kind === 'lost') return { kind: 'failed', reason: reply.reason };
  return reply.accepted ? { kind: 'accepted' } : { kind: 'refused', reason: reply.message };
}
