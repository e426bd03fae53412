import { randomBytes } from 'node:crypto';
import { access, chmod, constants, mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ensureError } from '../../contract/failures';
import { shellWord } from '../../rules/shell';
import { createPrivateFile } from '../private-file';

/** A data folder cannot be used. The message says why and what to do. */
export class DataFolderUnusable extends Error {
  override readonly name = 'DataFolderUnusable';
  readonly type = 'DataFolderUnusable';

  constructor(
    message: string,
    options?: ErrorOptions,
    /** Default: the remedy of the catalogue. */
    readonly remedy?: string,
  ) {
    super(message, options);
  }
}

/** There is no data folder at the path, and the caller may not make one: it may be a mistyped path. */
export class NoDataFolder extends DataFolderUnusable {
  constructor(root: string, why: string) {
    super(
      `${root} is no data folder: ${why}`,
      {},
      'Check the path (--data, REPUBLISH_DATA, or the key "data"), or make a data folder there: ' +
        `republish migrate --data ${shellWord(root)}`,
    );
  }
}

/** The paths of a data folder. All are absolute. */
export interface DataFolder {
  path: string;
  postgresDir: string;
  postgresPasswordFile: string;
  /** SQLite database of the Temporal server. */
  temporalFile: string;
  /** REPUBLISH_SECRETS_KEY of this folder. */
  secretsKeyFile: string;
  /** The processes of the servers that were started last. */
  serversFile: string;
}

const MARKER = 'republish-data.json';
/** Rises when a release changes the layout of the folder. */
const FORMAT = 1;
/** Entries that an empty file system may have at its root. */
const ALLOWED_IN_EMPTY = ['lost+found'];

export interface OpenOptions {
  /** Make the folder if it does not exist. */
  make: boolean;
  /** Called with a message when the folder was made. */
  say(text: string): void;
}

/**
 * Opens a data folder. With `make` it creates it, with mode 0700 and a marker file, if it does not exist.
 *
 * @throws NoDataFolder it does not exist
 * @throws DataFolderUnusable it cannot be created, contains other files, belongs to another user, or is of a
 *   newer release
 */
export async function openDataFolder(directory: string, { make, say }: OpenOptions): Promise<DataFolder> {
  const root = path.resolve(directory);
  try {
    if (make) await makeFolders(root);
    else await requireFolder(root);
    if (await requireDataFolder(root, make)) say(`made the data folder ${root}`);
  } catch (thrown) {
    if (thrown instanceof DataFolderUnusable) throw thrown;
    throw new DataFolderUnusable(
      `the data folder ${root} cannot be used (${ensureError(thrown).message}): ` +
        'name one that this user may write to',
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

/** Creates the secrets key of the folder if there is none. @returns the path of its file */
export async function ensureSecretsKey({ secretsKeyFile }: DataFolder): Promise<string> {
  await createPrivateFile(secretsKeyFile, `${randomBytes(32).toString('hex')}\n`);
  return secretsKeyFile;
}

/**
 * Creates a folder and the missing folders above it, one by one. mkdir's `recursive` is not used: below /proc
 * it never ends, and on a read-only file system it reports ENOENT.
 */
async function makeFolders(directory: string): Promise<void> {
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
      // Another process may create it at the same moment.
      if (error.code === 'EEXIST') return;
      throw new Error(`no folder can be made in ${path.dirname(each)}, ${error.code}`, { cause: error });
    });
  }
}

async function requireFolder(root: string): Promise<void> {
  const kind = await kindOf(root);
  if (kind === undefined) throw new NoDataFolder(root, 'there is no such folder');
  if (kind === 'other') throw new Error(`${root} is no folder`);
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

/**
 * Checks the marker of a data folder. With `make` it marks an empty folder as one.
 *
 * @returns whether it has marked the folder
 */
async function requireDataFolder(root: string, make: boolean): Promise<boolean> {
  const marker = path.join(root, MARKER);
  const text = await readFile(marker, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) {
    await requireEmpty(root);
    if (!make) throw new NoDataFolder(root, 'the folder is empty');
  } else {
    await requireOurs(root, marker);
    requireKnownFormat(root, text);
  }
  await chmod(root, 0o700);
  return createPrivateFile(marker, `${JSON.stringify({ format: FORMAT })}\n`);
}

/** Refuses a folder with other files, such as LNbits' own: a person may have named it by mistake. */
async function requireEmpty(root: string): Promise<void> {
  const others = (await readdir(root)).filter(
    // Another process may write the marker, or its temporary file, at the same moment.
    (name) => !name.startsWith(MARKER) && !ALLOWED_IN_EMPTY.includes(name),
  );
  if (others.length === 0 || (await stat(path.join(root, MARKER)).catch(() => undefined))) return;
  const shown = `${others.slice(0, 3).join(', ')}${others.length > 3 ? ', ...' : ''}`;
  throw new DataFolderUnusable(
    `${root} is no data folder of republish and holds other files (${shown}): ` +
      'name an empty folder, or one that does not exist yet',
  );
}

/** Refuses the folder of another user. Root may write there, but that user could not read root's files. */
async function requireOurs(root: string, marker: string): Promise<void> {
  const uid = process.getuid?.();
  const { uid: owner } = await stat(marker);
  if (uid === undefined || owner === uid) return;
  throw new DataFolderUnusable(
    `the data folder ${root} belongs to another user (uid ${owner}, this is ${uid}): run republish as that ` +
      'user, or give this user all files in it except those below postgres/',
  );
}

function requireKnownFormat(root: string, text: string): void {
  let format: unknown;
  try {
    ({ format } = JSON.parse(text) as { format?: unknown });
  } catch {
    // A file that is not JSON has no format.
  }
  if (format === FORMAT) return;
  throw new DataFolderUnusable(
    typeof format === 'number'
      ? `the data folder ${root} has format ${format}, this release knows ${FORMAT}: ` +
          'use the release that made it, or a newer one'
      : `${path.join(root, MARKER)} does not say which format the folder has: take the file from a backup`,
  );
}
