import { parsedUrl } from '../rules/url';
/** The TLS that a URL asks for, in the terms of libpq. */
export interface TlsDemand {
  mode: SslMode;
  /** A file with the CAs to trust, or `system`: the CAs of Node.js. */
  rootCert?: string | undefined;
  /** File of the client certificate. */
  cert?: string | undefined;
  /** File of the client certificate's private key. */
  key?: string | undefined;
  /** Of that private key. */
  passphrase?: string | undefined;
  /** `direct`: TLS from the first byte, without Postgres' SSLRequest. */
  negotiation?: 'direct' | undefined;
}

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface PostgresUrl {
  /** The URL without `tls` and `options`, for `pg` to read. */
  rest: string;
  tls: TlsDemand;
  /** Settings of the session that the URL asks for: `-c search_path=...`. */
  options?: string | undefined;
}

/**
 * What is wrong with a Postgres URL: a sentence without its subject, such as `holds a #`, and what to do. It
 * never contains a part of the URL, which may have a password.
 */
export class PostgresUrlFault extends Error {
  constructor(
    readonly what: string,
    readonly remedy: string,
  ) {
    super(`${what}: ${remedy}`);
  }
}

const ESCAPE = 'write # / ? @ and % in the password as %23 %2F %3F %40 and %25';
const OURS = [
  'sslmode',
  'ssl',
  'sslrootcert',
  'sslcert',
  'sslkey',
  'sslpassword',
  'sslnegotiation',
  // With this, pg reads sslmode as libpq does. Here that is always so.
  'uselibpqcompat',
  'options',
];

/**
 * Parses `postgres://user:password@host:port/database?...` as libpq does: an IPv6 address is in brackets, the
 * folder of a Unix socket is `%2Fvar%2Frun` or `?host=/var/run`. The TLS parameters mean what they mean to
 * libpq. To pg some of them mean something else.
 *
 * @throws PostgresUrlFault
 */
export function parsePostgresUrl(text: string): PostgresUrl {
  requireUrl(text);
  const [front = '', query = ''] = split(text, '?');
  const parameters = new URLSearchParams(query);
  const parameter = (name: string): string | undefined => parameters.get(name) ?? undefined;
  if (parameter('host')?.includes(',')) throw severalHosts();
  const rootCert = parameter('sslrootcert');
  const tls: TlsDemand = {
    mode: modeOf(parameter('sslmode') ?? sslModeOf(parameter('ssl')), rootCert),
    rootCert,
    cert: parameter('sslcert'),
    key: parameter('sslkey'),
    passphrase: parameter('sslpassword'),
    negotiation: negotiationOf(parameter('sslnegotiation')),
  };
  const options = parameter('options');
  for (const name of OURS) parameters.delete(name);
  const left = parameters.toString();
  // pg encodes a URL with a space in it a second time.
  const rest = front.replaceAll(' ', '%20') + (left === '' ? '' : `?${left}`);
  return { rest, tls, options };
}

function requireUrl(text: string): void {
  if (text.includes('#')) throw new PostgresUrlFault('holds a #', 'write # as %23');
  if (/%(?![0-9A-Fa-f]{2})/.test(text))
    throw new PostgresUrlFault('has a % that begins no percent-encoded character', 'write % as %25');
  const [front = '', query = ''] = split(text, '?');
  const authority = /^[a-z]+:\/\/([^/]*)/i.exec(front)?.[1] ?? '';
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host.includes(',')) throw severalHosts();
  // `postgres://user@/database` has no host. Node.js does not accept it, libpq and pg do.
  const isUrl = parsedUrl(host === '' ? front.replace('@/', '@localhost/') : front) !== undefined;
  // A password with an unescaped / or ?: its first part would be read as a port and shown in a message.
  const endsTooEarly = !authority.includes('@') && (/@/.test(front) || /^[^=&]*@/.test(query));
  if (!isUrl || endsTooEarly) throw new PostgresUrlFault('is no URL', ESCAPE);
  try {
    decodeURIComponent(front);
  } catch {
    throw new PostgresUrlFault('has percent-encoded bytes that are no UTF-8', ESCAPE);
  }
}

function severalHosts(): PostgresUrlFault {
  return new PostgresUrlFault(
    'names several hosts',
    'name one, which leads to the primary: a name in DNS, a virtual address, or a pooler such as pgbouncer',
  );
}

function split(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

/** `ssl` has `true` or `false` in URLs for pg, and an sslmode in URLs for asyncpg. */
function sslModeOf(ssl: string | undefined): string | undefined {
  if (ssl === 'true' || ssl === '1') return 'verify-full';
  if (ssl === 'false' || ssl === '0') return 'disable';
  return ssl;
}

function modeOf(written: string | undefined, rootCert: string | undefined): SslMode {
  const fallback = rootCert === 'system' ? 'verify-full' : 'prefer';
  // pg's `no-verify` is libpq's `require`.
  const mode = written === 'no-verify' ? 'require' : (written ?? fallback);
  if (!isSslMode(mode))
    throw new PostgresUrlFault('has an sslmode that is not known', `write one of ${SSL_MODES.join(', ')}`);
  if (rootCert === 'system' && mode !== 'verify-full')
    throw new PostgresUrlFault(`has sslrootcert=system with sslmode=${mode}`, 'write sslmode=verify-full');
  if (mode === 'verify-ca' && rootCert === undefined)
    throw new PostgresUrlFault(
      'has sslmode=verify-ca, and does not say which CA',
      'add sslrootcert=<file with the CA>, or write sslmode=verify-full for a public one',
    );
  return mode;
}

function negotiationOf(written: string | undefined): 'direct' | undefined {
  if (written === undefined || written === 'postgres') return undefined;
  if (written === 'direct') return 'direct';
  throw new PostgresUrlFault('has an sslnegotiation that is not known', 'write postgres or direct');
}

function isSslMode(mode: string): mode is SslMode {
  return (SSL_MODES as readonly string[]).includes(mode);
}

/** Environment variables of libpq, and the parameter of the URL that each of them is the default of. */
const LIBPQ_DEFAULTS = {
  PGSSLMODE: 'sslmode',
  PGSSLROOTCERT: 'sslrootcert',
  PGSSLCERT: 'sslcert',
  PGSSLKEY: 'sslkey',
  PGOPTIONS: 'options',
};

/**
 * The URL with the parameters that libpq's environment variables add to it. pg itself reads the variables for
 * user, password, host, port and database.
 */
export function withLibpqVariables(url: string, env: Readonly<Record<string, string | undefined>>): string {
  if (!/^postgres(ql)?(\+\w+)?:\/\//.test(url)) return url;
  const [front, query] = split(url, '?');
  const named = new URLSearchParams(query);
  const added = Object.entries(LIBPQ_DEFAULTS).flatMap(([variable, name]) => {
    const value = env[variable]?.trim();
    const isInUrl = named.has(name) || (name === 'sslmode' && named.has('ssl'));
    return value === undefined || value === '' || isInUrl ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  if (added.length === 0) return url;
  return `${front}?${[...(query === '' ? [] : [query]), ...added].join('&')}`;
}
