import { Client, type ClientConfig, Pool, type PoolClient } from 'pg';
import { PACKAGE } from '../contract/names';
import type { PostgresUrl } from './postgres-url';
import { ASK_FOR_SETTINGS, sessionOptions, STATEMENT_TIMEOUT_MS } from './session';
import { tlsOptions } from './tls';

/**
 * How much later than the server the client gives a statement up. A server that vanishes without a FIN would
 * otherwise keep a statement, and with it a document, waiting for ever.
 */
export const LONGER_THAN_THE_SERVER_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** The message of pg when the server has no TLS. pg gives this error no code. */
export const NO_TLS_OFFERED = 'The server does not support SSL connections';
const TOO_MANY_CONNECTIONS = '53300';
/** No line of pg_hba.conf matches this connection. Another line may match one with TLS, or without. */
const NO_PG_HBA_ENTRY = '28000';
/** How poolers refuse a setting at the start of a connection: pgbouncer, and poolers of some providers. */
const SETTING_REFUSED = ['08P01', '0A000'];

/** How long the pool stays as small as the server made it, before it tries to grow again. */
const SMALL_POOL_MS = 60_000;
const MOST_TRIES = 10;

/** How the next connection is made. Only a try shows what the server accepts, and that may change. */
interface ConnectMethod {
  tls: boolean;
  /** With the settings of the session as a parameter at the start of the connection. */
  settings: boolean;
}

export interface LentConnection {
  client: PoolClient;
  /** The session has the settings of database/session.ts. Without them each transaction sets them. */
  hasSettings: boolean;
}

export interface ConnectionsOptions {
  maxConnections: number;
  onIdleError?: ((error: Error) => void) | undefined;
}

/**
 * A pool of connections that adapts to the server:
 * - TLS as libpq does it: `prefer` continues without TLS, `allow` continues with it.
 * - Settings: a pooler that refuses them at the start of a connection gets them in each transaction.
 * - Size: when the server refuses further connections, callers wait for one that is open.
 *
 * @throws PostgresUrlFault a file that the URL names cannot be used
 */
export class Connections {
  readonly #pool: Pool;
  readonly #url: PostgresUrl;
  readonly #maxConnections: number;
  readonly #hasSettings = new WeakMap<PoolClient, boolean>();
  readonly #isSocket: boolean;
  #tls: ReturnType<typeof tlsOptions>;
  #method: ConnectMethod;
  #smallUntilMs = 0;

  constructor(url: PostgresUrl, { maxConnections, onIdleError }: ConnectionsOptions) {
    this.#url = url;
    this.#maxConnections = maxConnections;
    this.#tls = tlsOptions(url.tls);
    this.#isSocket = new Client({ connectionString: url.rest }).host?.startsWith('/') === true;
    this.#method = { tls: !this.#isSocket && !['disable', 'allow'].includes(url.tls.mode), settings: true };
    const nextSettings = (): ClientConfig => this.#settings();
    this.#pool = new Pool({
      connectionString: url.rest,
      max: maxConnections,
      query_timeout: STATEMENT_TIMEOUT_MS + LONGER_THAN_THE_SERVER_MS,
      keepAlive: true,
      application_name: PACKAGE,
      Client: class extends Client {
        constructor(config?: ClientConfig) {
          super({ ...config, ...nextSettings() });
        }
      },
    });
    // Without a listener, a connection that breaks ends the process. The pool listens to idle connections
    // only, so each client needs a listener of its own: it may break in the moment in which the pool hands it
    // out.
    this.#pool.on('error', (error) => onIdleError?.(error));
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** The caller releases the client, with an error if the connection must not be used again. */
  async lend(): Promise<LentConnection> {
    if (Date.now() > this.#smallUntilMs) this.#resize(this.#maxConnections);
    const client = await this.#connect();
    try {
      return { client, hasSettings: await this.#askForSettings(client) };
    } catch (thrown) {
      client.release(true);
      throw thrown;
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }

  async #connect(): Promise<PoolClient> {
    const tried = new Set<string>();
    for (let tries = 1; ; tries += 1) {
      const method = this.#method;
      tried.add(JSON.stringify(method));
      try {
        return await this.#pool.connect();
      } catch (thrown) {
        if (tries === MOST_TRIES || !this.#adapt(thrown, method, tried)) throw thrown;
      }
    }
  }

  /**
   * Changes the pool or the method after a failure.
   *
   * @param failed the method that was used
   * @returns whether another try has a chance
   */
  #adapt(thrown: unknown, failed: ConnectMethod, tried: ReadonlySet<string>): boolean {
    if (codeOf(thrown) === TOO_MANY_CONNECTIONS && this.#pool.totalCount > 0) {
      this.#smallUntilMs = Date.now() + SMALL_POOL_MS;
      this.#resize(this.#pool.totalCount);
      return true;
    }
    // When the method is another one already, a second caller failed in the same way and has changed it.
    if (this.#method === failed) this.#method = this.#otherMethod(thrown, failed) ?? failed;
    return !tried.has(JSON.stringify(this.#method));
  }

  #otherMethod(thrown: unknown, failed: ConnectMethod): ConnectMethod | undefined {
    const { mode } = this.#url.tls;
    const code = codeOf(thrown);
    if (SETTING_REFUSED.includes(code ?? '') && failed.settings) return { ...failed, settings: false };
    const hasNoTls = thrown instanceof Error && thrown.message === NO_TLS_OFFERED;
    if (mode === 'prefer' && failed.tls && (hasNoTls || code === NO_PG_HBA_ENTRY))
      return { ...failed, tls: false };
    // Also under `prefer`, after a connection without TLS: the server may have TLS by now, or the name may
    // lead to two servers.
    const mayUseTls = !this.#isSocket && (mode === 'prefer' || mode === 'allow');
    if (mayUseTls && !failed.tls && code === NO_PG_HBA_ENTRY) return { ...failed, tls: true };
    return mode === 'allow' && failed.tls && hasNoTls ? { ...failed, tls: false } : undefined;
  }

  /** Asks once for each connection: some poolers accept the settings and drop them silently. */
  async #askForSettings(client: PoolClient): Promise<boolean> {
    const known = this.#hasSettings.get(client);
    if (known !== undefined) return known;
    const { rows } = await client.query<{ taken: boolean }>(ASK_FOR_SETTINGS);
    const hasSettings = rows[0]?.taken === true;
    this.#hasSettings.set(client, hasSettings);
    return hasSettings;
  }

  #settings(): ClientConfig {
    const { tls: demand, options } = this.#url;
    const { tls, settings } = this.#method;
    const direct = demand.negotiation === undefined ? {} : { sslnegotiation: demand.negotiation };
    const asked = settings ? sessionOptions(options) : options;
    return {
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ssl: tls ? this.#readTls() : false,
      ...(tls ? direct : {}),
      ...(asked === undefined ? {} : { options: asked }),
    };
  }

  /**
   * Reads the certificates for each connection, because they are replaced while the process runs. While a
   * file is being replaced it may be unreadable, and the earlier certificates are used.
   */
  #readTls(): ReturnType<typeof tlsOptions> {
    try {
      this.#tls = tlsOptions(this.#url.tls);
    } catch {
      // The constructor could read them.
    }
    return this.#tls;
  }

  /** pg reads `options.max` each time before it opens a connection. */
  #resize(connections: number): void {
    (this.#pool as Pool & { options: { max: number } }).options.max = connections;
  }
}

function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
