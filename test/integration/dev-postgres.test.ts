import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { openDatabase, type Database } from '../../database/connection';
import { startPostgres, type RunningPostgres } from '../../embedded/postgres';
import { findPostgresBinaries, hydrateSymlinks } from '../../embedded/postgres-binaries';
import { startChildProgram, untilProcessGone } from '../support/child-program';
import { until } from '../support/until';

let postgres: RunningPostgres;
const log: string[] = [];

beforeAll(async () => {
  postgres = await startPostgres({ onLog: (line) => log.push(line) });
});
afterAll(() => postgres.stop());

async function withDatabase<T>(url: string, work: (database: Database) => Promise<T>): Promise<T> {
  const database = openDatabase({ url });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

const setting = async (database: Database, name: string): Promise<string | undefined> =>
  (await database.query<{ value: string }>('SELECT current_setting($1) AS value', [name]))[0]?.value;

test('listens on 127.0.0.1 only, with a password, tuned for data that is thrown away', async () => {
  expect(postgres.url).toMatch(/^postgres:\/\/postgres:[0-9a-f]{36}@127\.0\.0\.1:\d+\/postgres$/);
  await withDatabase(postgres.url, async (database) => {
    expect(await setting(database, 'listen_addresses')).toBe('127.0.0.1');
    expect(await setting(database, 'unix_socket_directories')).toBe('');
    expect(await setting(database, 'fsync')).toBe('off');
    expect(await setting(database, 'max_connections')).toBe('200');
    expect(await setting(database, 'server_encoding')).toBe('UTF8');
  });
  const wrong = postgres.url.replace(/:[0-9a-f]{36}@/, ':wrong@');
  await expect(withDatabase(wrong, (database) => database.query('SELECT 1'))).rejects.toThrow(
    /password authentication/,
  );
});

test('makes databases, also with odd names and as a copy, and drops them with connections open', async () => {
  const template = await postgres.createDatabase('odd "name"/ü');
  await withDatabase(template, (database) => database.query('CREATE TABLE marks AS SELECT 7 AS mark'));
  const copies = await Promise.all(
    [1, 2, 3].map((n) => postgres.createDatabase(`copy_${n}`, 'odd "name"/ü')),
  );
  const copy = openDatabase({ url: copies[2] as string });
  expect(await copy.query('SELECT mark FROM marks')).toEqual([{ mark: 7 }]);
  await postgres.dropDatabase('copy_3');
  await postgres.dropDatabase('copy_3');
  await expect(copy.query('SELECT 1')).rejects.toThrow(/does not exist|terminat|reachable/);
  await copy.close();
  await expect(postgres.createDatabase('copy_1')).rejects.toThrow(
    /could not create database "copy_1": .*already exists/,
  );
});

test.each(['fast', 'crash'] as const)(
  'keeps its data and port over a %s pause, and ends connections',
  async (how) => {
    const url = await postgres.createDatabase(`kept_${how}`);
    const database = openDatabase({ url });
    await database.query('CREATE TABLE kept AS SELECT 42 AS answer');
    const pidBefore = postgres.pid;
    const sleeping = database.query('SELECT pg_sleep(30)').then(
      () => 'slept',
      (error: Error) => error.message,
    );
    await postgres.pause(how);
    expect(await sleeping).toMatch(/terminat|reachable|could not take/i);
    await expect(database.query('SELECT 1')).rejects.toThrow(/not reachable \(ECONNREFUSED\)/);
    await postgres.resume();
    await expect(postgres.resume()).rejects.toThrow(/is running: pause it/);
    expect(postgres.pid).not.toBe(pidBefore);
    expect(await database.query('SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
    await database.close();
  },
);

test('stop ends it and removes its files, may be called again, and leaves no password file', async () => {
  const other = await startPostgres();
  const baseDir = path.dirname(other.dataDir);
  expect(existsSync(path.join(baseDir, 'password'))).toBe(false);
  await Promise.all([other.stop(), other.stop()]);
  await other.stop();
  expect(existsSync(baseDir)).toBe(false);
  expect(() => process.kill(other.pid, 0)).toThrow(/ESRCH/);
});

describe('when its parent ends without stopping it', () => {
  const start = `
    const { startPostgres } = require('./embedded/postgres.ts');
    startPostgres().then((postgres) => {
      console.log(JSON.stringify({ pid: postgres.pid, dataDir: postgres.dataDir }));`;

  test.each([
    ['through process.exit', 'setTimeout(() => process.exit(3), 50); });', undefined, 3],
    ['through an uncaught error', "setTimeout(() => { throw new Error('boom'); }, 50); });", undefined, 1],
    ['by Ctrl-C without a handler', 'setInterval(() => 0, 1000); });', 'SIGINT', 'SIGINT'],
    ['by SIGKILL', 'setInterval(() => 0, 1000); });', 'SIGKILL', 'SIGKILL'],
  ] as const)('%s, no server and no files stay', async (_how, rest, signal, ending) => {
    const parent = await startChildProgram(start + rest);
    const { pid, dataDir } = JSON.parse(parent.firstLine) as { pid: number; dataDir: string };
    if (signal !== undefined) parent.kill(signal);
    expect(await parent.ended).toBe(ending);
    await untilProcessGone(pid);
    await until(() => !existsSync(path.dirname(dataDir)));
  });

  test('a program that stopped it ends by itself, with its own exit code', async () => {
    const parent = await startChildProgram(`${start} process.exitCode = 5; return postgres.stop(); });`);
    expect(await parent.ended).toBe(5);
  });
});

test('makes the library links that an install without scripts leaves out', async () => {
  const { nativeDir } = await findPostgresBinaries();
  const listed = await readFile(path.join(nativeDir, 'pg-symlinks.json'), 'utf8');
  const links = (JSON.parse(listed) as { target: string }[]).map(({ target }) => target);
  const copy = mkdtempSync(path.join(os.tmpdir(), 'postgres-links-'));
  try {
    cpSync(nativeDir, path.join(copy, 'native'), { recursive: true, verbatimSymlinks: true });
    for (const link of links) rmSync(path.join(copy, link), { force: true });
    const binary = path.join(copy, 'native', 'bin', 'postgres');
    // Proves that the links are needed at all; a platform without such links (links is empty) has nothing to
    // prove.
    if (links.length > 0)
      expect(() => execFileSync(binary, ['--version'], { stdio: 'pipe' })).toThrow(/libr|lib/);
    await hydrateSymlinks(copy);
    await hydrateSymlinks(copy);
    for (const link of links) expect(lstatSync(path.join(copy, link)).isSymbolicLink()).toBe(true);
    expect(execFileSync(binary, ['--version'], { encoding: 'utf8' })).toMatch(/^postgres \(PostgreSQL\) 18/);
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});

test('its log goes to onLog', () => {
  expect(log.join('\n')).toContain('database system is ready to accept connections');
});
