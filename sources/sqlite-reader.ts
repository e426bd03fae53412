import path from 'node:path';
import { sleep } from '../async/wait';
import { RepublishError } from '../contract/failures';
import { sqlIdentifier } from '../database/identifier';
import { type SqliteConnection, type SqliteDriver, SqliteFailure } from './sqlite-driver';
import { extensionFile, extensionSchemas, requireReadable, schemasIn } from './sqlite-files';
import { CORE_FILE } from './url';

/** A limit of SQLite. */
const MAX_ATTACHED = 10;
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 250;

export interface ReaderOptions {
  folder: string;
  driver: SqliteDriver;
  /** How long to wait for a locked database. */
  lockTimeoutMs: number;
  /** Ends that wait. */
  signal: AbortSignal;
}

/**
 * Reads LNbits' database. The files of the extensions that the SQL names are attached under their schemas.
 *
 * It opens the files for each question and closes them after it. So a replaced file (a restored backup, an
 * extension that was installed again) is seen at once, and no lock keeps LNbits waiting. Opening takes less
 * than a millisecond. The drivers block the event loop, so they do not wait for locks: this function waits.
 *
 * @param sql the SQL of the question. It is only searched for schemas
 * @param ask may be called several times, because of locks, so it must only read
 * @throws RepublishError SourceUnavailable, SourceMisconfigured
 * @throws SqliteFailure the SQL is wrong
 */
export async function askLnbits<T>(
  options: ReaderOptions,
  sql: string,
  ask: (connection: SqliteConnection) => T,
): Promise<T> {
  return askFiles(
    options,
    () => {
      const attached = schemasIn(sql, extensionSchemas(options.folder));
      if (attached.length > MAX_ATTACHED) {
        throw new RepublishError(
          'SourceMisconfigured',
          `the query names ${attached.length} extensions, and SQLite can attach at most ${MAX_ATTACHED}`,
        );
      }
      return { main: CORE_FILE, attached };
    },
    ask,
  );
}

/** Reads the file of one extension, without LNbits' core database. */
export async function askExtension<T>(
  options: ReaderOptions,
  schema: string,
  ask: (connection: SqliteConnection) => T,
): Promise<T> {
  return askFiles(options, () => ({ main: extensionFile(schema), attached: [] }), ask);
}

async function askFiles<T>(
  options: ReaderOptions,
  files: () => { main: string; attached: string[] },
  ask: (connection: SqliteConnection) => T,
): Promise<T> {
  const deadlineMs = performance.now() + options.lockTimeoutMs;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    const { main, attached } = files();
    try {
      return askOnce(options, main, attached, ask);
    } catch (thrown) {
      const failure = failureOf(thrown, options.folder);
      if (failure === undefined) throw thrown;
      if (performance.now() + waitMs > deadlineMs || !failure.mayPass) throw failure.error;
      await sleep(waitMs, options.signal).catch(() => {
        throw failure.error;
      });
    }
  }
}

function askOnce<T>(
  { folder, driver }: ReaderOptions,
  main: string,
  attached: readonly string[],
  ask: (connection: SqliteConnection) => T,
): T {
  const mainPath = path.join(folder, main);
  requireReadable(mainPath);
  const connection = driver.open(mainPath);
  try {
    for (const schema of attached) {
      const file = path.join(folder, extensionFile(schema));
      requireReadable(file);
      connection.run(`ATTACH '${file.replaceAll("'", "''")}' AS ${sqlIdentifier(schema)}`);
    }
    // One transaction: all statements of a question see the same data.
    connection.run('BEGIN');
    requireUtf8(connection, folder);
    const answer = ask(connection);
    connection.run('COMMIT');
    return answer;
  } finally {
    connection.close();
  }
}

/** Text is read as bytes, so the encoding must be known. LNbits always creates UTF-8. */
function requireUtf8(connection: SqliteConnection, folder: string): void {
  const encoding = connection.all('PRAGMA encoding').rows[0]?.[0];
  if (encoding !== 'UTF-8') {
    throw new RepublishError(
      'SourceMisconfigured',
      `the database in ${folder} holds its text in ${String(encoding)}, and LNbits' is UTF-8`,
    );
  }
}

/** The failure of an error that is about the files. Undefined: it is about the SQL. */
function failureOf(thrown: unknown, folder: string): { error: RepublishError; mayPass: boolean } | undefined {
  if (!(thrown instanceof SqliteFailure)) return undefined;
  const unavailable = (message: string) => ({
    error: new RepublishError('SourceUnavailable', message),
    mayPass: true,
  });
  switch (thrown.code) {
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return unavailable(
        `the database in ${folder} is locked by another process and stayed locked: ` +
          'see what writes to it that long',
      );
    case 'SQLITE_READONLY':
      // A hot journal: a process died while it wrote. The next process that may write rolls it back.
      return unavailable(
        `the database in ${folder} was left in the middle of a change by a process that died: ` +
          'start LNbits once, which undoes it',
      );
    case 'SQLITE_CANTOPEN':
    case 'SQLITE_IOERR':
    case 'SQLITE_PROTOCOL':
    case 'SQLITE_INTERRUPT':
    case 'SQLITE_NOMEM':
    case 'SQLITE_FULL':
      return unavailable(`the database in ${folder} cannot be read now: ${thrown.message}`);
    case 'SQLITE_NOTADB':
    case 'SQLITE_CORRUPT':
      return {
        error: new RepublishError(
          'SourceMisconfigured',
          `the database in ${folder} is damaged (${thrown.message}): ` +
            'check it with PRAGMA integrity_check, or restore a backup',
        ),
        mayPass: false,
      };
    default:
      return undefined;
  }
}
