import { readFile, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import { openDatabase } from '../../database/connection';
import { openSource } from '../../sources/open';
import type { RunningPostgres } from '../../embedded/postgres';
import { configure, PRIVATE_CA, startTlsPostgres } from '../support/tls-postgres';

let postgres: RunningPostgres;
let hba: string;
let originalHba: string;

beforeAll(async () => {
  // A socket in the folder of the data, and IPv6 where this machine has it.
  postgres = await startTlsPostgres({ unix_socket_directories: '.', listen_addresses: '127.0.0.1,::1' });
  hba = path.join(postgres.dataDir, 'pg_hba.conf');
  originalHba = await readFile(hba, 'utf8');
});
afterAll(() => postgres.stop());

function urlOf(host: string, query: string): string {
  const url = new URL(postgres.url);
  url.hostname = host;
  url.search = query.replace('<ca>', encodeURIComponent(PRIVATE_CA));
  return url.href;
}

/** Whether a connection so made is encrypted, or why there is none. */
async function securedBy(url: string): Promise<unknown> {
  const database = openDatabase({ url, maxConnections: 1 });
  try {
    const [row] = await database.query<{ ssl: boolean }>(
      'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
    );
    return row?.ssl;
  } catch (thrown) {
    const { type, message, remedy } = thrown as { type?: string; message: string; remedy?: string };
    return { type, message, remedy };
  } finally {
    await database.close();
  }
}

const fault = (message: string, remedy: string) => ({
  type: 'DatabaseMisconfigured',
  message: expect.stringContaining(message) as string,
  remedy: expect.stringContaining(remedy) as string,
});
const CA = 'sslrootcert=<ca>';
const PUBLIC_ONLY = fault('(UNABLE_TO_VERIFY_LEAF_SIGNATURE)', 'sslrootcert=<file>');
const ANOTHER_NAME = fault('(ERR_TLS_CERT_ALTNAME_INVALID)', 'sslmode=verify-ca does not look at the name');

// Of libpq-ssl in Postgres' manual. The certificate is for localhost, and signed by a private CA.
test.each<[host: string, query: string, secured: unknown]>([
  ['localhost', '', true],
  ['localhost', 'sslmode=disable', false],
  ['localhost', 'sslmode=allow', false],
  ['localhost', 'sslmode=prefer', true],
  ['localhost', 'sslmode=require', true],
  ['127.0.0.1', 'sslmode=require', true],
  ['127.0.0.1', `sslmode=require&${CA}`, true],
  ['localhost', `sslmode=verify-ca&${CA}`, true],
  ['127.0.0.1', `sslmode=verify-ca&${CA}`, true],
  ['localhost', `sslmode=verify-full&${CA}`, true],
  ['127.0.0.1', `sslmode=verify-full&${CA}`, ANOTHER_NAME],
  ['localhost', 'sslmode=verify-full', PUBLIC_ONLY],
  ['localhost', 'sslrootcert=system', PUBLIC_ONLY],
  ['localhost', `sslmode=verify-full&${CA}&sslnegotiation=direct`, true],
])('63: a private CA, %s?%s: as libpq does', async (host, query, secured) => {
  expect(await securedBy(urlOf(host, query))).toEqual(secured);
});

test('63: another CA than that of the server is refused in every mode that is given one', async () => {
  const other = path.join(postgres.dataDir, '..', 'other-ca.crt');
  // A certificate that has signed nothing.
  await writeFile(other, await readFile(path.join(path.dirname(PRIVATE_CA), 'server.crt')));
  for (const mode of ['require', 'verify-ca', 'verify-full']) {
    const query = `sslmode=${mode}&sslrootcert=${encodeURIComponent(other)}`;
    expect(await securedBy(urlOf('localhost', query))).toMatchObject({ type: 'DatabaseMisconfigured' });
  }
});

test.each(['', 'sslmode=require', 'sslmode=allow'])('63: a Unix socket needs no TLS, ?%s', async (query) => {
  const { username, password, port } = new URL(postgres.url);
  const folder = encodeURIComponent(postgres.dataDir);
  const bySocket = `postgres://${username}:${password}@${folder}:${port}/postgres`;
  expect(await securedBy(`${bySocket}?${query}`)).toBe(false);
  const byParameter = `postgres://${username}:${password}@/postgres?host=${folder}&port=${port}`;
  expect(await securedBy(`${byParameter}&${query}`)).toBe(false);
});

test('63: IPv6', async () => {
  const has = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
  expect(await securedBy(urlOf('[::1]', 'sslmode=require'))).toEqual(
    has ? true : expect.objectContaining({ type: 'DatabaseUnavailable' }),
  );
});

describe('what pg_hba.conf lets in', () => {
  afterEach(async () => {
    await writeFile(hba, originalHba);
    await configure(postgres, []);
  });

  test.each<[only: string, query: string, secured: unknown]>([
    ['hostssl', '', true],
    ['hostssl', 'sslmode=allow', true],
    ['hostssl', 'sslmode=disable', fault('no pg_hba.conf entry', '')],
    ['hostnossl', '', false],
    ['hostnossl', 'sslmode=require', fault('no pg_hba.conf entry', '')],
  ])('63: %s alone: ?%s', async (only, query, secured) => {
    const { username } = new URL(postgres.url);
    // The first line that fits decides: one for the tests' own way in, which is without TLS and to another
    // database.
    await writeFile(
      hba,
      `host postgres ${username} samehost scram-sha-256\n${only} other all samehost scram-sha-256\n`,
    );
    await configure(postgres, ['DROP DATABASE IF EXISTS other', 'CREATE DATABASE other']);
    const url = new URL(urlOf('localhost', query));
    url.pathname = '/other';
    expect(await securedBy(url.href)).toEqual(secured);
  });
});

test('63: a server without TLS: demanded, it is said; preferred, it goes on, and takes TLS as soon as there is some', async () => {
  await configure(postgres, ['ALTER SYSTEM SET ssl = off']);
  try {
    for (const query of [
      'sslmode=require',
      `sslmode=verify-full&${CA}`,
      'sslnegotiation=direct&sslmode=require',
    ])
      expect(await securedBy(urlOf('localhost', query))).toMatchObject({
        type: expect.stringMatching(/Database/) as string,
      });
    expect(await securedBy(urlOf('localhost', 'sslmode=require'))).toEqual(
      fault('takes no TLS, and the URL demands it', 'Turn `ssl` on'),
    );
    for (const query of ['', 'sslmode=prefer', 'sslmode=allow', 'sslmode=disable'])
      expect(await securedBy(urlOf('localhost', query))).toBe(false);
    const source = openSource({
      url: urlOf('localhost', 'sslmode=require'),
      preset: 'auto',
      queries: { documents: {}, documentTypes: [] },
    });
    await expect(source.account('op')).rejects.toMatchObject({
      type: 'SourceMisconfigured',
      remedy: expect.stringContaining('Turn `ssl` on') as string,
    });
    await source.close();
  } finally {
    await configure(postgres, ['ALTER SYSTEM SET ssl = on']);
  }
});
