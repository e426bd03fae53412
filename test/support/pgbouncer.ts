import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { freePort } from '../../embedded/free-port';
import { choosePostgresUser } from '../../embedded/postgres-binaries';
import { startProcessGroup } from '../../embedded/process-group';
import { until } from './until';

export interface RunningPgbouncer {
  /** The same database and role, through it. */
  url: string;
  stop(): Promise<void>;
}

/**
 * pgbouncer before a database, with its default settings but for where it listens and the mode.
 *
 * @param settings further lines of its configuration
 */
export async function startPgbouncer(
  executable: string,
  databaseUrl: string,
  { mode, settings = [] }: { mode: 'session' | 'transaction' | 'statement'; settings?: string[] },
): Promise<RunningPgbouncer> {
  const { hostname, port: serverPort, username, password, pathname } = new URL(databaseUrl);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'republish-pgbouncer-'));
  const user = await choosePostgresUser();
  const port = await freePort();
  const file = path.join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    [
      '[databases]',
      `* = host=${hostname} port=${serverPort}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${folder}/users.txt`,
      `pool_mode = ${mode}`,
      ...settings,
      '',
    ].join('\n'),
  );
  await writeFile(path.join(folder, 'users.txt'), `"${username}" "${decodeURIComponent(password)}"\n`);
  if (user.uid !== undefined)
    for (const name of ['', 'pgbouncer.ini', 'users.txt'])
      await chown(path.join(folder, name), user.uid, user.gid ?? user.uid);
  const server = await startProcessGroup({
    name: 'pgbouncer',
    command: executable,
    args: [file],
    env: { PATH: '/usr/bin:/bin' },
    cwd: folder,
    ...user,
    orphan: { signal: 'SIGKILL', removeDir: folder },
  });
  const stop = async (): Promise<void> => {
    await server.stop('SIGKILL', 5_000);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await until(async () => {
      if (server.hasExited()) throw new Error(`pgbouncer has ended: ${server.epitaph()}`);
      return listensOn(port);
    });
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return { url: `postgres://${username}:${password}@127.0.0.1:${port}${pathname}`, stop };
}

function listensOn(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
