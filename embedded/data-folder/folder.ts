import { randomBytes } from 'node:crypto';
import { access, chmod, constants, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ensureError } from '../../contract/failures';
import { createPrivateFile } from '../private-file';

/** A data folder cannot be used: what is in the way, and what to do. */
export class DataFolderUnusable extends Error {
  override readonly name = 'DataFolderUnusable';
  readonly type = 'DataFolderUnusable';

  constructor(
    message: string,
    options?: ErrorOptions,
    /** Absent: the catalogue's. */
    readonly remedy?: string,
  ) {
    super(message, options);
  }
}

export interface DataFolder {
  /** Absolute. */
  path: string;
  postgresDir: string;
  postgresPasswordFile: string;
  /** SQLite: the workflows. */
  temporalFile: string;
  secretsKeyFile: string;
  /** Which servers were started on it last. */
  serversFile: string;
}

const MARKER = 'republish-data.json';
/** Rises when a release lays the folder out in another way. */
const FORMAT = 1;
/** What the root of a file system of its own may hold. */
const NOT_OURS_BUT_HARMLESS = ['lost+found'];

/**
 * Opens a data folder, and makes it where there is none yet: 0700, with a file that says what it is.
 *
 * @throws DataFolderUnusable when it cannot be made, holds something else, or is another user's or a newer
 * release's
 */
export async function openDataFolder(directory: string): Promise<DataFolder> {
  const root = path.resolve(directory);
  try {
    await make(root);
    await takeUp(root);
  } catch (thrown) {
    if (thrown instanceof DataFolderUnusable) throw thrown;
    throw new DataFolderUnusable(
      `the data folder ${root} cannot be used (${ensureError(thrown).message}): name one that this user may write to`,
      { cause: thrown },
    );
  }
  return {
    path: root,
    postgresDir: path.join(root, 'postgres'),
    postgresPasswordFile: path.join(root, 'postgres-password'),
    temporalFile: path.join(root, 'temporal.db'),
    secretsKeyFile: path.join(root, 'secrets-key'),
    serversFile: path.join(root, 'servers.json'),
  };
}

/** The key that encrypts the signers of this folder, made where there is none. @returns its file */
export async function ensureSecretsKey({ secretsKeyFile }: DataFolder): Promise<string> {
  await createPrivateFile(secretsKeyFile, `${randomBytes(32).toString('hex')}\n`);
  return secretsKeyFile;
}

/**
 * Makes a folder and those above it, one by one: where the system answers ENOENT for a folder that is there
 * (/proc), mkdir's own `recursive` never ends, and on a read-only file system it says ENOENT.
 */
async function make(directory: string): Promise<void> {
  const missing: string[] = [];
  let existing = directory;
  while ((await kindOf(existing)) === undefined && existing !== path.dirname(existing)) {
    missing.unshift(existing);
    existing = path.dirname(existing);
  }
  if ((await kindOf(existing)) !== 'folder') throw new Error(`${existing} is no folder`);
  await requireWritable(existing);
  for (const each of missing) {
    await mkdir(each, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
      // Another process may be making it at this very moment.
      if (error.code === 'EEXIST') return;
      throw new Error(`no folder can be made in ${path.dirname(each)}, ${error.code}`, { cause: error });
    });
  }
}

async function kindOf(file: string): Promise<'folder' | 'other' | undefined> {
  try {
    return (await stat(file)).isDirectory() ? 'folder' : 'other';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function requireWritable(directory: string): Promise<void> {
  try {
    await access(directory, constants.W_OK | constants.X_OK);
  } catch (thrown) {
    throw new Error(`${directory} is read-only or belongs to another user`, { cause: thrown });
  }
}

async function takeUp(root: string): Promise<void> {
  const marker = path.join(root, MARKER);
  const text = await readFile(marker, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) await requireEmpty(root);
  else {
    await requireOurs(root, marker);
    requireKnownFormat(root, text);
  }
  await chmod(root, 0o700);
  await createPrivateFile(marker, `${JSON.stringify({ format: FORMAT })}\n`);
}

/** A folder of other files, such as LNbits' own, must not become one of ours by a slip. */
async function requireEmpty(root: string): Promise<void> {
  const others = (await readdir(root)).filter(
    // Another process may be making the folder at this very moment.
    (name) => !name.startsWith(MARKER) && !NOT_OURS_BUT_HARMLESS.includes(name),
  );
  if (others.length === 0 || (await stat(path.join(root, MARKER)).catch(() => undefined))) return;
  throw new DataFolderUnusable(
    `${root} is no data folder of republish and holds other files (${others.slice(0, 3).join(', ')}${others.length > 3 ? ', ...' : ''}): name an empty folder, or one that does not exist yet`,
  );
}

/** Files that root makes in somebody's folder would be closed to that user from then on. */
async function requireOurs(root: string, marker: string): Promise<void> {
  const uid = process.getuid?.();
  const { uid: owner } = await stat(marker);
  if (uid === undefined || owner === uid) return;
  throw new DataFolderUnusable(
    `the data folder ${root} belongs to another user (uid ${owner}, this is ${uid}): run republish as that user, or give this user all files in it except those below postgres/`,
  );
}

function requireKnownFormat(root: string, text: string): void {
  let format: unknown;
  try {
    ({ format } = JSON.parse(text) as { format?: unknown });
  } catch {
    // Told below: a file that is not JSON has no format.
  }
  if (format === FORMAT) return;
  throw new DataFolderUnusable(
    typeof format === 'number'
      ? `the data folder ${root} has format ${format}, this release knows ${FORMAT}: use the release that made it, or a newer one`
      : `${path.join(root, MARKER)} does not say which format the folder has: take the file from a backup`,
  );
}
