/** How a connection is secured. The words of libpq's `sslmode`. */
export interface TlsDemand {
  mode: SslMode;
  /** A file with the CAs to trust, or `system`: those that Node.js knows. */
  rootCert?: string | undefined;
  /** Files of the certificate that this side shows. */
  cert?: string | undefined;
  key?: string | undefined;
  passphrase?: string | undefined;
  /** `direct`: TLS from the first byte. */
  negotiation?: 'direct' | undefined;
}

export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type SslMode = (typeof SSL_MODES)[number];

export interface PostgresUrl {
  /** The URL without what is below: what `pg` reads by itself. */
  rest: string;
  tls: TlsDemand;
  /** Settings of the session that the URL asks for: `-c search_path=...`. */
  options?: string | undefined;
}

/**
 * What is wrong with a URL of Postgres, as a sentence without its subject, and what to do. Quotes nothing of
 * it.
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
  // What pg has for the meaning of libpq, which is the only one here.
  'uselibpqcompat',
  'options',
];

/**
 * Reads `postgres://user:password@host:port/database?...`, as libpq writes it: an IPv6 address in brackets, a
 * folder with a Unix socket as `%2Fvar%2Frun` or `?host=/var/run`. TLS is read as libpq does, which pg does
 * not.
 *
 * @throws PostgresUrlFault
 */
export function parsePostgresUrl(text: string): PostgresUrl {
  refuseWhatIsNoUrl(text);
  const [front = '', query = ''] = split(text, '?');
  const parameters = new URLSearchParams(query);
  const of = (name: string): string | undefined => parameters.get(name) ?? undefined;
  if (of('host')?.includes(',')) throw severalHosts();
  const rootCert = of('sslrootcert');
  const tls: TlsDemand = {
    mode: modeOf(of('sslmode') ?? sslModeOf(of('ssl')), rootCert),
    rootCert,
    cert: of('sslcert'),
    key: of('sslkey'),
    passphrase: of('sslpassword'),
    negotiation: negotiationOf(of('sslnegotiation')),
  };
  const options = of('options');
  for (const name of OURS) parameters.delete(name);
  const left = parameters.toString();
  // A blank would have pg encode all of the URL once more.
  const rest = front.replaceAll(' ', '%20') + (left === '' ? '' : `?${left}`);
  return { rest, tls, options };
}

function refuseWhatIsNoUrl(text: string): void {
  if (text.includes('#')) throw new PostgresUrlFault('holds a #', 'write # as %23');
  if (/%(?![0-9A-Fa-f]{2})/.test(text))
    throw new PostgresUrlFault('has a % that begins no percent-encoded character', 'write % as %25');
  const [front = '', query = ''] = split(text, '?');
  const authority = /^[a-z]+:\/\/([^/]*)/i.exec(front)?.[1] ?? '';
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  if (host.includes(',')) throw severalHosts();
  // Without a host, as `postgres://user@/database`, it is no URL to Node.js, and one to libpq and pg.
  const isUrl = URL.canParse(host === '' ? front.replace('@/', '@localhost/') : front);
  // A password with a / or a ? in it, whose beginning would be taken for a port, and be told as one.
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

/** `ssl` is what pg (`true`) and asyncpg (a mode) call it. */
function sslModeOf(ssl: string | undefined): string | undefined {
  if (ssl === 'true' || ssl === '1') return 'verify-full';
  if (ssl === 'false' || ssl === '0') return 'disable';
  return ssl;
}

function modeOf(written: string | undefined, rootCert: string | undefined): SslMode {
  const fallback = rootCert === 'system' ? 'verify-full' : 'prefer';
  // pg's own name for what libpq calls `require`.
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

/** What the environment says to every program that uses libpq, where the URL does not say it. */
const OF_LIBPQ = {
  PGSSLMODE: 'sslmode',
  PGSSLROOTCERT: 'sslrootcert',
  PGSSLCERT: 'sslcert',
  PGSSLKEY: 'sslkey',
  PGOPTIONS: 'options',
};

/**
 * The URL with what libpq's variables add to it. pg reads user, password, host, port and database by itself.
 */
export function withLibpqVariables(url: string, env: Readonly<Record<string, string | undefined>>): string {
  if (!/^postgres(ql)?(\+\w+)?:\/\//.test(url)) return url;
  const [front, query] = split(url, '?');
  const named = new URLSearchParams(query);
  const added = Object.entries(OF_LIBPQ).flatMap(([variable, name]) => {
    const value = env[variable]?.trim();
    const isSaid = named.has(name) || (name === 'sslmode' && named.has('ssl'));
    return value === undefined || value === '' || isSaid ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  if (added.length === 0) return url;
  return `${front}?${[...(query === '' ? [] : [query]), ...added].join('&')}`;
}
