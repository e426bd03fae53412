import { chown, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { within } from '../async/wait';
import { freePort } from './free-port';
import type { PostgresUser } from './postgres-binaries';
import { startProcessGroup, type ProcessGroup } from './process-group';
import { run } from './run';

const START_TIMEOUT_MS = 30_000;
const INITDB_TIMEOUT_MS = 60_000;
export const KILL_AFTER_MS = 10_000;
const START_ATTEMPTS = 3;

/** Nothing of ours may leak in (PGPORT, PGOPTIONS), and the log must be in the language `isReady` reads. */
const CLEAN_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** What every server of ours has in common. */
const LOCAL = {
  shared_buffers: '64MB',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // The default, /dev/shm, is 64 MB in a container and keeps what a killed server leaves behind.
  dynamic_shared_memory_type: 'mmap',
};

/**
 * Calls `start` with a port that is free now, and again with another when somebody else took it in between.
 */
export async function onFreePort(start: (port: number) => Promise<ProcessGroup>): Promise<{
  port: number;
  server: ProcessGroup;
}> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    try {
      return { port, server: await start(port) };
    } catch (error) {
      if (attempt === START_ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
    }
  }
}

export interface InitialiseOptions {
  initdb: string;
  /** As the server's user sees it. */
  dataDir: string;
  /** Where that user may read a file: the password waits there for a moment. */
  baseDir: string;
  password: string;
  user: PostgresUser;
  /** For data that is thrown away: nothing is synced. */
  noSync?: boolean;
  /** Open directory that the programs get as file descriptor 3. */
  directoryFd?: number;
}

/** Makes a data directory, with the superuser `postgres`. */
export async function initialise({ user, ...options }: InitialiseOptions): Promise<void> {
  const passwordFile = path.join(options.baseDir, 'password');
  // In a file, because a command line can be read by every user of the machine.
  await writeFile(passwordFile, options.password, { mode: 0o600 });
  if (user.uid !== undefined) await chown(passwordFile, user.uid, user.gid ?? user.uid);
  const args = [
    `--pgdata=${options.dataDir}`,
    `--pwfile=${passwordFile}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(options.noSync ? ['--no-sync'] : []),
    '--no-instructions',
  ];
  try {
    const { ok, reason } = await run(options.initdb, args, {
      ...user,
      cwd: options.baseDir,
      env: CLEAN_ENV,
      timeoutMs: INITDB_TIMEOUT_MS,
      ...(options.directoryFd === undefined ? {} : { inherit: options.directoryFd }),
    });
    if (!ok) throw new Error(`Postgres could not make its data directory: ${reason}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

export interface ServerOptions {
  postgres: string;
  /** Removed when this process ends without having stopped the server. */
  baseDir: string;
  dataDir: string;
  port: number;
  user: PostgresUser;
  settings: Record<string, string>;
  /** Every line of the server's log, which quotes statements that failed. Nothing is printed otherwise. */
  onLog?: (line: string) => void;
  /** Open directory that the server gets as file descriptor 3. */
  directoryFd?: number;
}

/** Starts a server on an initialised data directory, and waits until it takes connections. */
export async function startServer(options: ServerOptions): Promise<ProcessGroup> {
  let markReady: () => void = () => undefined;
  const ready = new Promise<'ready'>((resolve) => (markReady = () => resolve('ready')));
  const settings = Object.entries({ ...LOCAL, ...options.settings }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ]);
  const server = await startProcessGroup({
    name: 'Postgres',
    command: options.postgres,
    args: ['-D', options.dataDir, '-p', String(options.port), ...settings],
    env: CLEAN_ENV,
    cwd: options.baseDir,
    ...options.user,
    ...(options.directoryFd === undefined ? {} : { inherit: options.directoryFd }),
    onLine: (line) => {
      if (isReady(line)) markReady();
      options.onLog?.(line);
    },
    // Immediate shutdown: it takes its own children with it, who are in sessions of their own.
    orphan: { signal: 'SIGQUIT', removeDir: options.baseDir },
  });
  const ended = server.exited.then(() => 'ended' as const);
  const outcome = (await within(Promise.race([ready, ended]), START_TIMEOUT_MS)) ?? 'late';
  if (outcome === 'ready') return server;
  if (outcome === 'late') await server.stop('SIGQUIT', KILL_AFTER_MS);
  throw new Error(
    `Postgres ${outcome === 'late' ? `was not ready after ${START_TIMEOUT_MS / 1000} s` : 'ended while starting'}: ${server.epitaph()}`,
  );
}

function isReady(line: string): boolean {
  return line.includes('database system is ready to accept connections');
}
