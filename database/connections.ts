import { Client, type ClientConfig, Pool, type PoolClient } from 'pg';
import { PACKAGE } from '../contract/names';
import type { PostgresUrl } from './postgres-url';
import { IS_TAKEN, sessionOptions, STATEMENT_TIMEOUT_MS } from './session';
import { tlsOptions } from './tls';

/** A server that vanished without a FIN would otherwise hold a query, and with it a document, for ever. */
export const LONGER_THAN_THE_SERVER_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;

/** What pg says where the server answers that it has no TLS; it gives no code. */
export const NO_TLS_OFFERED = 'The server does not support SSL connections';
const TOO_MANY_CONNECTIONS = '53300';
/** pg_hba.conf has no line for such a connection: it may have one for a connection with TLS, or without. */
const NOT_LET_IN = '28000';
/** How poolers refuse a setting that they do not pass on: pgbouncer, and those of some providers. */
const SETTING_REFUSED = ['08P01', '0A000'];

/** For how long no more connections are tried than the server has given. */
const NARROW_MS = 60_000;
const MOST_TRIES = 10;

/** How the next connection is made. What the server takes is known when it has been tried, and may change. */
interface Way {
  tls: boolean;
  /** With the settings of the session at its start. */
  settings: boolean;
}

export interface Lent {
  client: PoolClient;
  /**
   * Its session has the settings that statements here rely on; otherwise each transaction brings them along.
   */
  isSet: boolean;
}

export interface ConnectionsOptions {
  maxConnections: number;
  onIdleError?: ((error: Error) => void) | undefined;
}

/**
 * A pool that connects as libpq would (`prefer` goes on without TLS, `allow` with it), through a pooler that
 * takes no settings, and to a server that gives fewer connections than wanted: then what needs one waits for
 * one of ours.
 *
 * @throws PostgresUrlFault a file that the URL names cannot be used
 */
export class Connections {
  readonly #pool: Pool;
  readonly #url: PostgresUrl;
  readonly #maxConnections: number;
  readonly #sessions = new WeakMap<PoolClient, boolean>();
  readonly #isSocket: boolean;
  #tls: ReturnType<typeof tlsOptions>;
  #way: Way;
  #narrowUntilMs = 0;

  constructor(url: PostgresUrl, { maxConnections, onIdleError }: ConnectionsOptions) {
    this.#url = url;
    this.#maxConnections = maxConnections;
    this.#tls = tlsOptions(url.tls);
    this.#isSocket = new Client({ connectionString: url.rest }).host?.startsWith('/') === true;
    this.#way = { tls: !this.#isSocket && !['disable', 'allow'].includes(url.tls.mode), settings: true };
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
    // Without a listener a connection that breaks would end the process: while it is idle, and, since the
    // pool does not listen then, from the moment in which it is handed out, which may be that of the message
    // that ends it.
    this.#pool.on('error', (error) => onIdleError?.(error));
    this.#pool.on('connect', (client) => client.on('error', () => undefined));
  }

  /** To be released by whoever has it; with an error where the connection is not to be used again. */
  async lend(): Promise<Lent> {
    if (Date.now() > this.#narrowUntilMs) this.#allow(this.#maxConnections);
    const client = await this.#connect();
    try {
      return { client, isSet: await this.#isSet(client) };
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
      const way = this.#way;
      tried.add(JSON.stringify(way));
      try {
        return await this.#pool.connect();
      } catch (thrown) {
        if (tries === MOST_TRIES || !this.#hasHope(thrown, way, tried)) throw thrown;
      }
    }
  }

  /** @param way that which has failed */
  #hasHope(thrown: unknown, way: Way, tried: ReadonlySet<string>): boolean {
    if (codeOf(thrown) === TOO_MANY_CONNECTIONS && this.#pool.totalCount > 0) {
      this.#narrowUntilMs = Date.now() + NARROW_MS;
      this.#allow(this.#pool.totalCount);
      return true;
    }
    // Another caller has failed in the same way, and found it.
    if (this.#way === way) this.#way = this.#another(thrown, way) ?? way;
    return !tried.has(JSON.stringify(this.#way));
  }

  #another(thrown: unknown, way: Way): Way | undefined {
    const { mode } = this.#url.tls;
    const code = codeOf(thrown);
    if (SETTING_REFUSED.includes(code ?? '') && way.settings) return { ...way, settings: false };
    const isWithout = thrown instanceof Error && thrown.message === NO_TLS_OFFERED;
    if (mode === 'prefer' && way.tls && (isWithout || code === NOT_LET_IN)) return { ...way, tls: false };
    // Preferred still: the server may have got TLS meanwhile, or this is the other of two.
    const mayBeSecured = !this.#isSocket && (mode === 'prefer' || mode === 'allow');
    if (mayBeSecured && !way.tls && code === NOT_LET_IN) return { ...way, tls: true };
    return mode === 'allow' && way.tls && isWithout ? { ...way, tls: false } : undefined;
  }

  /** Asked of each connection once: some poolers take the settings, and drop them. */
  async #isSet(client: PoolClient): Promise<boolean> {
    const known = this.#sessions.get(client);
    if (known !== undefined) return known;
    const { rows } = await client.query<{ taken: boolean }>(IS_TAKEN);
    const isSet = rows[0]?.taken === true;
    this.#sessions.set(client, isSet);
    return isSet;
  }

  #settings(): ClientConfig {
    const { tls: demand, options } = this.#url;
    const { tls, settings } = this.#way;
    const direct = demand.negotiation === undefined ? {} : { sslnegotiation: demand.negotiation };
    const asked = settings ? sessionOptions(options) : options;
    return {
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      ssl: tls ? this.#readTls() : false,
      ...(tls ? direct : {}),
      ...(asked === undefined ? {} : { options: asked }),
    };
  }

  /** Certificates are replaced in running systems; in the moment in which they are, the former ones do. */
  #readTls(): ReturnType<typeof tlsOptions> {
    try {
      this.#tls = tlsOptions(this.#url.tls);
    } catch {
      // They were readable once.
    }
    return this.#tls;
  }

  /** pg takes it into account whenever it is about to make a connection. */
  #allow(connections: number): void {
    (this.#pool as Pool & { options: { max: number } }).options.max = connections;
  }
}

function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
