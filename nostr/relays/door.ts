import type { RelayConnection } from './connection';
import type { AuthReply, RelayIdentity } from './identity';
import type { RelayPool } from './pool';
import { within } from '../../async/wait';

/**
 * A relay that wants to know who comes has so long to send its challenge unasked: some do it with the refusal
 * only.
 */
const CHALLENGE_MS = 500;
/**
 * A no is not asked for again so long: each time costs a signature, at a bunker, and perhaps a person's time.
 */
const BARRED_MS = 60_000;
/**
 * At most so many logins are signed: a relay may close the connection after each, or forget it, and ask
 * again.
 */
const MOST_SIGNATURES = 30;
const SIGNATURES_WITHIN_MS = 60_000;

export interface DoorOptions {
  pool: RelayPool;
  url: string;
  replyTimeoutMs: number;
  /** The relay has said that it wants to know who asks (NIP-11). */
  isAuthRequired?(): boolean;
}

export type NotAuthenticated = Exclude<AuthReply, { kind: 'accepted' }>;

/** What came of a question: the relay's answer, or why it does not let us in. */
export type Asked<R> = { reply: R } | { refused: NotAuthenticated };

/**
 * The way into one relay, which may want to know who comes (NIP-42). It is told when it demands that, not
 * when it offers it: many relays offer it, need it for nothing, and refuse what they are told.
 */
export class Door {
  /** It has demanded it before. */
  #demands = false;
  /** By key: who is not let in. */
  readonly #barred = new Map<string, { reply: NotAuthenticated; untilMs: number }>();
  /** By key: when it signed lately. */
  readonly #signedAtMs = new Map<string, number[]>();

  constructor(private readonly options: DoorOptions) {}

  /**
   * Asks a question: as it is; where the relay demands to know who asks, after a login with its newest
   * challenge; and where it still does, after one on a new connection. Rejects when there is no connection.
   *
   * @param isDemand whether the answer is that demand
   */
  async ask<R>(
    identity: RelayIdentity | undefined,
    question: (connection: RelayConnection) => Promise<R>,
    isDemand: (reply: R) => boolean,
  ): Promise<Asked<R>> {
    let connection = await this.#connection(identity);
    const before = identity && connection.logins.loginOf(identity.pubkey);
    const introduced = await this.#introduce(connection, identity);
    let login = identity && connection.logins.loginOf(identity.pubkey);
    let reply = await question(connection);
    if (identity === undefined || !isDemand(reply)) return { reply };
    this.#demands = true;
    if (introduced !== undefined && introduced.kind !== 'accepted') return { refused: introduced };
    // Told a moment ago: to tell it once more on the same connection would cost a signature for nothing.
    const isFresh = login !== undefined && login !== before;
    for (const isLast of isFresh ? [true] : [false, true]) {
      if (isLast) connection.close();
      connection = await this.#connection(identity);
      if (!(await isChallenged(connection))) {
        reply = await question(connection);
        if (!isDemand(reply)) return { reply };
      }
      login = await this.#login(connection, identity, login);
      if (login.kind !== 'accepted') return { refused: login };
      reply = await question(connection);
      if (!isDemand(reply)) return { reply };
    }
    return {
      refused: this.#bar(identity, { kind: 'refused', reason: 'it asks who we are after each login' }),
    };
  }

  /** Many relays know only the last who has logged in on a connection. */
  #connection(identity: RelayIdentity | undefined): Promise<RelayConnection> {
    const { pool, url } = this.options;
    return this.#isAsked() && identity !== undefined ? pool.get(url, identity.pubkey) : pool.get(url);
  }

  #isAsked(): boolean {
    return this.#demands || this.options.isAuthRequired?.() === true;
  }

  /** Before the first question, not after its refusal. What comes of it counts only where it is demanded. */
  async #introduce(
    connection: RelayConnection,
    identity: RelayIdentity | undefined,
  ): Promise<AuthReply | undefined> {
    if (identity === undefined || !this.#isAsked()) return undefined;
    const standing = connection.logins.loginOf(identity.pubkey);
    if (standing?.kind === 'accepted') return standing;
    return (await isChallenged(connection)) ? this.#login(connection, identity) : undefined;
  }

  /**
   * A signer may take minutes, and others have questions to this relay: its answer, when it comes, is there
   * for the next of them.
   */
  async #login(
    connection: RelayConnection,
    identity: RelayIdentity,
    insteadOf?: AuthReply,
  ): Promise<AuthReply> {
    const barred = this.#barred.get(identity.pubkey);
    if (barred !== undefined && Date.now() < barred.untilMs) return barred.reply;
    const { replyTimeoutMs } = this.options;
    const worthless = insteadOf ?? barred?.reply;
    const login = connection.logins.authenticate(this.#bounded(identity), replyTimeoutMs, worthless);
    const reply = await within(login, replyTimeoutMs);
    if (reply === undefined) return { kind: 'failed', reason: 'the signer has not signed for it yet' };
    // A signer that signed for it and does not again may never do so again: some count what they sign.
    const isOver = reply.kind === 'refused' || (reply.kind === 'failed' && insteadOf !== undefined);
    if (isOver) return this.#bar(identity, reply);
    if (reply.kind === 'accepted') this.#barred.delete(identity.pubkey);
    return reply;
  }

  /** Whoever signs is asked only so often. */
  #bounded({ pubkey, sign }: RelayIdentity): RelayIdentity {
    return {
      pubkey,
      sign: async (event) => {
        const nowMs = Date.now();
        const lately = (this.#signedAtMs.get(pubkey) ?? []).filter((ms) => ms > nowMs - SIGNATURES_WITHIN_MS);
        if (lately.length >= MOST_SIGNATURES)
          throw new Error(`the relay has had ${MOST_SIGNATURES} within a minute`);
        this.#signedAtMs.set(pubkey, [...lately, nowMs]);
        return sign(event);
      },
    };
  }

  #bar({ pubkey }: RelayIdentity, reply: NotAuthenticated): NotAuthenticated {
    this.#barred.set(pubkey, { reply, untilMs: Date.now() + BARRED_MS });
    return reply;
  }
}

async function isChallenged({ logins, openedAtMs }: RelayConnection): Promise<boolean> {
  const leftMs = openedAtMs + CHALLENGE_MS - Date.now();
  return (await logins.untilChallenged(leftMs)) !== undefined;
}
