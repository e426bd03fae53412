import fc from 'fast-check';
import { loadConfiguration } from '../../configuration/load';
import { parsePostgresUrl, PostgresUrlFault, withLibpqVariables } from '../../database/postgres-url';
import { openDatabase } from '../../database/connection';
import { tlsOptions } from '../../database/tls';

const faultOf = (url: string): PostgresUrlFault => {
  try {
    parsePostgresUrl(url);
  } catch (thrown) {
    if (thrown instanceof PostgresUrlFault) return thrown;
    throw thrown;
  }
  throw new Error('it was taken');
};

describe('a URL of Postgres', () => {
  test.each([
    ['postgres://u:p@h:5432/db', 'prefer'],
    ['postgresql://u@[::1]:5432/db', 'prefer'],
    ['postgres://u@%2Fvar%2Frun%2Fpostgresql/db', 'prefer'],
    ['postgres://u:p@/db?host=/var/run/postgresql', 'prefer'],
    ['postgres:///db', 'prefer'],
    ['postgres://u@h', 'prefer'],
    ['postgres://u:p%23%2F@h/db?sslmode=disable', 'disable'],
    ['postgres://h/db?sslmode=allow', 'allow'],
    ['postgres://h/db?sslmode=require&uselibpqcompat=true', 'require'],
    ['postgres://h/db?sslmode=no-verify', 'require'],
    ['postgres://h/db?sslmode=verify-ca&sslrootcert=/ca.crt', 'verify-ca'],
    ['postgres://h/db?sslmode=verify-full', 'verify-full'],
    ['postgres://h/db?sslrootcert=system', 'verify-full'],
    ['postgres://h/db?user=u@h&password=p', 'prefer'],
    ['postgres://h/db?ssl=true', 'verify-full'],
    ['postgres://h/db?ssl=require', 'require'],
    ['postgres://h/db?ssl=0', 'disable'],
  ])('%s is taken, with sslmode %s', (url, mode) => {
    expect(parsePostgresUrl(url).tls.mode).toBe(mode);
  });

  test.each([
    ['postgres://u:ge#heim@h/db', 'holds a #', '%23'],
    ['postgres://u:#geheim@h/db', 'holds a #', '%23'],
    ['postgres://u:ge/heim@h/db', 'is no URL', '%2F'],
    ['postgres://u:12/geheim@h/db', 'is no URL', '%2F'],
    ['postgres://u:ge?heim@h/db', 'is no URL', '%3F'],
    ['postgres://u:12?geheim@h/db', 'is no URL', '%3F'],
    ['postgres://u:100%geheim@h/db', 'has a %', '%25'],
    ['postgres://u:%FFgeheim@h/db', 'no UTF-8', '%25'],
    ['postgres://u:geheim@h1:5432,h2:5432/db', 'several hosts', 'pooler'],
    ['postgres://u:geheim@h1,h2/db', 'several hosts', 'pooler'],
    ['postgres://u:geheim@/db?host=h1,h2', 'several hosts', 'pooler'],
    ['postgres://u:geheim@h/db?sslmode=on', 'sslmode that is not known', 'verify-full'],
    ['postgres://u:geheim@h/db?sslmode=verify-ca', 'which CA', 'sslrootcert='],
    ['postgres://u:geheim@h/db?sslmode=require&sslrootcert=system', 'system', 'verify-full'],
    ['postgres://u:geheim@h/db?sslnegotiation=indirect', 'sslnegotiation', 'direct'],
  ])('%s is refused by name, with what to do, and not quoted', (url, what, remedy) => {
    const fault = faultOf(url);
    expect(fault.what).toContain(what);
    expect(fault.remedy).toContain(remedy);
    expect(fault.message).not.toContain('geheim');
    for (const name of ['DATABASE_URL', 'LNBITS_DATABASE_URL']) {
      const load = () => loadConfiguration({ env: { [name]: url }, directory: '/' });
      expect(load).toThrow(new RegExp(`- ${name} [^\\n]*${what}`));
    }
  });

  test.each(['sslrootcert', 'sslcert', 'sslkey'])(
    'a file of %s that is not there is named, before anything is connected to',
    (name) => {
      const open = () =>
        openDatabase({ url: `postgres://u:geheim@h/db?sslmode=require&${name}=/no/such.pem` });
      expect(open).toThrow(expect.objectContaining({ type: 'DatabaseMisconfigured' }));
      expect(open).toThrow(`${name}: /no/such.pem, ENOENT`);
      expect(open).not.toThrow('geheim');
    },
  );

  test('what is not about TLS or the session is left to pg as it was written', () => {
    const { rest, options } = parsePostgresUrl(
      'postgres://u:p%20w@h:1/d%20b?sslmode=require&application_name=x%26y&options=-c%20search_path%3Da,b&host=/var/run',
    );
    expect(options).toBe('-c search_path=a,b');
    expect(rest).toBe('postgres://u:p%20w@h:1/d%20b?application_name=x%26y&host=%2Fvar%2Frun');
  });

  test('any password that is percent-encoded is taken, and reaches pg as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (password) => {
        const url = `postgres://u:${encodeURIComponent(password)}@h/db?sslmode=disable`;
        expect(decodeURIComponent(new URL(parsePostgresUrl(url).rest).password)).toBe(password);
      }),
    );
  });
});

test('what libpq reads from the environment holds where the URL does not say it', () => {
  const env = { PGSSLMODE: 'verify-full', PGSSLROOTCERT: '/ca.crt', PGOPTIONS: '-c search_path=x' };
  const { tls, options } = parsePostgresUrl(withLibpqVariables('postgres://u@h/db', env));
  expect(tls).toMatchObject({ mode: 'verify-full', rootCert: '/ca.crt' });
  expect(options).toBe('-c search_path=x');
  const said = 'postgres://u@h/db?sslmode=disable&options=-c%20a%3Db';
  expect(parsePostgresUrl(withLibpqVariables(said, env))).toMatchObject({
    tls: { mode: 'disable' },
    options: '-c a=b',
  });
  expect(withLibpqVariables('sqlite:///data', env)).toBe('sqlite:///data');
  expect(
    loadConfiguration({ env: { ...env, DATABASE_URL: 'postgres://u@h/db' }, directory: '/' }).databaseUrl,
  ).toBe('postgres://u@h/db?sslmode=verify-full&sslrootcert=%2Fca.crt&options=-c%20search_path%3Dx');
});

test('what sslmode=verify-full demands is not undone by NODE_TLS_REJECT_UNAUTHORIZED', () => {
  const options = tlsOptions({ mode: 'verify-full' });
  expect(options.rejectUnauthorized).toBe(true);
  expect(options).not.toHaveProperty('checkServerIdentity');
  expect(tlsOptions({ mode: 'require' }).rejectUnauthorized).toBe(false);
});
