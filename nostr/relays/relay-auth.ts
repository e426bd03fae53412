import type { RelayConnection } from './connection';
import type { AuthReply, RelayIdentity } from './identity';
import type { RelayPool } from './pool';
import { within } from '../../async/wait';

/** How long the challenge may take. Some relays send it only with the refusal. */
const CHALLENGE_MS = 500;
/**
 * After a refused login no other is tried for this time: each costs a signature at a bunker, and perhaps a
 * person's time.
 */
const BARRED_MS = 60_000;
/**
 * Most logins that are signed within a minute: a relay may close the connection after each, or forget it, and
 * ask again.
 */
const MOST_SIGNATURES = 30;
const SIGNATURES_WITHIN_MS = 60_000;

export interface RelayAuthOptions {
  pool: RelayPool;
  url: string;
  replyTimeoutMs: number;
  /** The relay says that it demands a login (NIP-11). */
  isAuthRequired?(): boolean;
}

export type NotAuthenticated = Exclude<AuthReply, { kind: 'accepted' }>;

/** The relay's answer to a question, or why it does not let us in. */
export type Asked<R> = { reply: R } | { refused: NotAuthenticated };

/**
 * Asks a relay questions, and logs in (NIP-42) where the relay demands it. It does not log in where the relay
 * only offers it: many relays offer it, do not need it, and refuse our login.
 */
export class RelayAuth {
  /** The relay has demanded a login. */
  #demands = false;
  /** By key: refused logins. */
  readonly #barred = new Map<string, { reply: NotAuthenticated; untilMs: number }>();
  /** By key: times of the last signatures. */
  readonly #signedAtMs = new Map<string, number[]>();

  constructor(private readonly options: RelayAuthOptions) {}

  /**
   * Asks a question. Where the relay demands a login, it logs in with the newest challenge and asks again;
   * where it still does, once more on a new connection. Rejects when there is no connection.
   *
   * @param isDemand whether an answer demands a login
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
    // The login is new: the same login again on this connection would cost a signature for nothing.
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

  /** Many relays know only the last login of a connection, so each key has its own connection. */
  #connection(identity: RelayIdentity | undefined): Promise<RelayConnection> {
    const { pool, url } = this.options;
    return this.#isAsked() && identity !== undefined ? pool.get(url, identity.pubkey) : pool.get(url);
  }

  #isAsked(): boolean {
    return this.#demands || this.options.isAuthRequired?.() === true;
  }

  /**
   * Logs in before the first question, where the relay is known to demand it. The result counts only if the
   * relay then demands a login.
   */
  async #introduce(
    connection: RelayConnection,
    identity: RelayIdentity | undefined,
  ): Promise<AuthReply | undefined> {
    if (identity === undefined || !this.#isAsked()) return undefined;
    const standing = connection.logins.loginOf(identity.pubkey);
    if (standing?.kind === 'accepted') return standing;
    return (await isChallenged(connection)) ? this.#login(connection, identity) : undefined;
  }

  /** A signer may take minutes. The question does not wait so long: the login is there for the next one. */
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
    // A signer that signed once and does not sign again may never do so: some count what they sign.
    const isOver = reply.kind === 'refused' || (reply.kind === 'failed' && insteadOf !== undefined);
    if (isOver) return this.#bar(identity, reply);
    if (reply.kind === 'accepted') this.#barred.delete(identity.pubkey);
    return reply;
  }

  /** Bounds how often the signer is asked. */
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
