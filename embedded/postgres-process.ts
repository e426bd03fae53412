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

/** Without our variables (PGPORT, PGOPTIONS). With LC_ALL=C the log is in English, which `isReady` reads. */
const CLEAN_ENV = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Settings of every server that this program starts. */
const LOCAL = {
  shared_buffers: '64MB',
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // The default, /dev/shm, has 64 MB in a container, and a killed server leaves its segments there.
  dynamic_shared_memory_type: 'mmap',
};

/**
 * Calls `start` with a free port. It tries another port when another process takes the first one meanwhile.
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
  /** The path under which the server's user reaches the directory. */
  dataDir: string;
  /** A directory that this user may read. The password is in a file there while initdb runs. */
  baseDir: string;
  password: string;
  user: PostgresUser;
  /** Do not sync to disk, for data that is thrown away. Default: false. */
  noSync?: boolean;
  /** An open directory. The programs get it as file descriptor 3. */
  directoryFd?: number;
}

/** Creates a data directory with the superuser `postgres`. */
export async function initialise({ user, ...options }: InitialiseOptions): Promise<void> {
  const passwordFile = path.join(options.baseDir, 'password');
  // In a file: every user of the machine can read a command line.
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
  /** Removed when this process ends without stopping the server. */
  baseDir: string;
  dataDir: string;
  port: number;
  user: PostgresUser;
  settings: Record<string, string>;
  /** Called with each line of the server's log. A line may contain a failed statement. Default: not shown. */
  onLog?: (line: string) => void;
  /** An open directory. The server gets it as file descriptor 3. */
  directoryFd?: number;
}

/**
 * Starts a server on an initialised data directory, and waits until it accepts connections (30 s at most).
 */
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
    // SIGQUIT is Postgres' immediate shutdown. It also ends the children, which are in sessions of their own.
    orphan: { signal: 'SIGQUIT', removeDir: options.baseDir },
  });
  const ended = server.exited.then(() => 'ended' as const);
  const outcome = (await within(Promise.race([ready, ended]), START_TIMEOUT_MS)) ?? 'late';
  if (outcome === 'ready') return server;
  if (outcome === 'late') await server.stop('SIGQUIT', KILL_AFTER_MS);
  const what =
    outcome === 'late' ? `was not ready after ${START_TIMEOUT_MS / 1000} s` : 'ended while starting';
  throw new Error(`Postgres ${what}: ${server.epitaph()}`);
}

function isReady(line: string): boolean {
  return line.includes('database system is ready to accept connections');
}
