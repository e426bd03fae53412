import { ensureError } from '../../contract/failures';
import { RelayConnection } from './connection';
import { gatewayProblem } from './gateway-problems';
import { isGateway, websocketUrl } from './url';

export interface RelayPoolOptions {
  connectTimeoutMs: number;
  onNotice?(url: string, text: string): void;
  /** Told of each message that was dropped because it is no Nostr message. */
  onMalformed?(): void;
}

/** First pause after a relay could not be reached; doubles with each further failure. */
const FIRST_COOL_DOWN_MS = 500;
const MAX_COOL_DOWN_MS = 15_000;

interface Entry {
  connection?: RelayConnection;
  opening?: Promise<RelayConnection>;
  failures: number;
  retryAtMs: number;
  /** Why it could not be opened the last time. */
  problem?: Error;
}

/**
 * One connection per relay, shared by all documents and opened when it is needed. A relay that cannot be reached is left
 * alone for a while, so that a thousand documents do not each wait for the same dead relay.
 */
export class RelayPool {
  #entries = new Map<string, Entry>();
  #closed = false;

  constructor(private readonly options: RelayPoolOptions) {}

  /** An open connection. Rejects with an Error that says why there is none. */
  async get(url: string): Promise<RelayConnection> {
    if (this.#closed) throw new Error('the relay pool is closed');
    const entry = this.#entries.get(url) ?? { failures: 0, retryAtMs: 0 };
    this.#entries.set(url, entry);
    if (entry.connection?.isOpen) return entry.connection;
    if (entry.opening) return entry.opening;
    if (entry.problem !== undefined && Date.now() < entry.retryAtMs) throw entry.problem;
    entry.opening = this.#open(url, entry).finally(() => delete entry.opening);
    return entry.opening;
  }

  async #open(url: string, entry: Entry): Promise<RelayConnection> {
    try {
      const connection = await RelayConnection.open({
        url: websocketUrl(url),
        connectTimeoutMs: this.options.connectTimeoutMs,
        // A gateway knows the secret in its path, and its words might repeat it.
        onNotice: (text) => this.options.onNotice?.(url, isGateway(url) ? 'withheld' : text),
        onMalformed: () => this.options.onMalformed?.(),
      });
      if (this.#closed) {
        connection.close();
        throw new Error('the relay pool is closed');
      }
      entry.connection = connection;
      entry.failures = 0;
      delete entry.problem;
      return connection;
    } catch (thrown) {
      entry.failures += 1;
      entry.retryAtMs =
        Date.now() + Math.min(FIRST_COOL_DOWN_MS * 2 ** (entry.failures - 1), MAX_COOL_DOWN_MS);
      const error = ensureError(thrown);
      entry.problem = isGateway(url) ? gatewayProblem(error) : error;
      throw entry.problem;
    }
  }

  close(): void {
    this.#closed = true;
    for (const entry of this.#entries.values()) entry.connection?.close();
    this.#entries.clear();
  }
}
