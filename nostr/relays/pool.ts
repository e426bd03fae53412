import { ensureError } from '../../contract/failures';
import { RelayConnection } from './connection';
import { gatewayProblem } from './gateway-problems';
import { HandshakeRefused } from './handshake';
import { isGateway, websocketUrl } from './url';

/** The longest time for opening a connection to a relay. */
export const RELAY_CONNECT_TIMEOUT_MS = 5_000;

export interface RelayPoolOptions {
  /** Default: RELAY_CONNECT_TIMEOUT_MS. */
  connectTimeoutMs?: number;
  onNotice?(url: string, text: string): void;
  /** Called for each message that was dropped because it is no Nostr message. */
  onMalformed?(): void;
}

/** First pause after a failed connection. It doubles with each further failure. */
const FIRST_COOL_DOWN_MS = 500;
const MAX_COOL_DOWN_MS = 15_000;

/** The longest `Retry-After` that is kept: a person may have repaired the relay. */
const MAX_RETRY_AFTER_MS = 5 * 60_000;
/** A connection of one identity that was unused for this long is closed when the next one is opened. */
const IDLE_MS = 5 * 60_000;
/**
 * From 32 connections to one relay on, an unused one is closed after this time: the relay may take no more.
 * No question lasts so long.
 */
const MANY = 32;
const IDLE_AMONG_MANY_MS = 60_000;

/** The key of the shared connection. */
const NOBODY = '';

interface Slot {
  connection?: RelayConnection;
  opening?: Promise<RelayConnection>;
  usedAtMs: number;
}

interface Entry {
  /** By identity. */
  slots: Map<string, Slot>;
  failures: number;
  retryAtMs: number;
  /** Why it could not be opened the last time. */
  problem?: Error;
}

/**
 * The connections to the relays, opened when they are needed. All documents share one per relay. Where a
 * relay demands a login, each identity has its own: many relays know only the last login of a connection. A
 * relay that cannot be reached is left alone for a while, so that a thousand documents do not each wait for
 * it.
 */
export class RelayPool {
  #entries = new Map<string, Entry>();
  readonly #closing = new AbortController();

  constructor(private readonly options: RelayPoolOptions = {}) {}

  /**
   * An open connection. Rejects with an Error that says why there is none.
   *
   * @param as the key of an identity that needs a connection of its own
   */
  async get(url: string, as: string = NOBODY): Promise<RelayConnection> {
    this.#closing.signal.throwIfAborted();
    const entry = this.#entries.get(url) ?? { slots: new Map<string, Slot>(), failures: 0, retryAtMs: 0 };
    this.#entries.set(url, entry);
    const slot = entry.slots.get(as) ?? { usedAtMs: 0 };
    slot.usedAtMs = Date.now();
    entry.slots.set(as, slot);
    if (slot.connection?.isOpen) return slot.connection;
    if (slot.opening) return slot.opening;
    if (entry.problem !== undefined && Date.now() < entry.retryAtMs) throw entry.problem;
    closeIdle(entry);
    slot.opening = this.#open(url, entry, slot).finally(() => delete slot.opening);
    return slot.opening;
  }

  /** The relay's last words, for messages about a missing answer. */
  lastWords(url: string): string | undefined {
    for (const { connection } of this.#entries.get(url)?.slots.values() ?? [])
      if (connection?.lastWords !== undefined) return connection.lastWords;
    return undefined;
  }

  async #open(url: string, entry: Entry, slot: Slot): Promise<RelayConnection> {
    try {
      const options = {
        url: websocketUrl(url),
        connectTimeoutMs: this.options.connectTimeoutMs ?? RELAY_CONNECT_TIMEOUT_MS,
        // A gateway knows the secret in its path, and might repeat it.
        withholdsWords: isGateway(url),
        onNotice: (text: string) => this.options.onNotice?.(url, isGateway(url) ? 'withheld' : text),
        onMalformed: () => this.options.onMalformed?.(),
      };
      const connection = await RelayConnection.open(options, this.#closing.signal);
      // Closed in the moment in which it was opened.
      if (this.#closing.signal.aborted) connection.close();
      this.#closing.signal.throwIfAborted();
      slot.connection = connection;
      entry.failures = 0;
      delete entry.problem;
      return connection;
    } catch (thrown) {
      this.#closing.signal.throwIfAborted();
      entry.failures += 1;
      entry.retryAtMs = Date.now() + pauseAfter(thrown, entry.failures);
      const error = ensureError(thrown);
      entry.problem = isGateway(url) ? gatewayProblem(error) : error;
      throw entry.problem;
    }
  }

  close(): void {
    this.#closing.abort(new Error('the relay pool is closed'));
    for (const { slots } of this.#entries.values())
      for (const { connection } of slots.values()) connection?.close();
    this.#entries.clear();
  }
}

function pauseAfter(thrown: unknown, failures: number): number {
  const pauseMs = Math.min(FIRST_COOL_DOWN_MS * 2 ** (failures - 1), MAX_COOL_DOWN_MS);
  const askedMs = thrown instanceof HandshakeRefused ? (thrown.retryAfterMs ?? 0) : 0;
  return Math.max(pauseMs, Math.min(askedMs, MAX_RETRY_AFTER_MS));
}

function closeIdle({ slots }: Entry): void {
  const idleMs = slots.size > MANY ? IDLE_AMONG_MANY_MS : IDLE_MS;
  for (const [as, { connection, opening, usedAtMs }] of slots) {
    if (as === NOBODY || opening !== undefined || Date.now() - usedAtMs < idleMs) continue;
    connection?.close();
    slots.delete(as);
  }
}
