import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { RepublishError } from '../contract/failures';
import { CORE_FILE } from './url';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const WAL = 2;

/**
 * Refuses a file that must not be opened: it is missing, it may not be read, it is no database, or it is in
 * journal mode WAL and no process has it open. SQLite would then create two files next to it and leave them
 * there, also for a reader.
 *
 * It is synchronous, like the drivers: closing a file drops every lock of this process on it, and so a lock
 * of SQLite if a question was running meanwhile.
 *
 * @throws RepublishError SourceMisconfigured, SourceUnavailable
 */
export function requireReadable(file: string): void {
  const header = headerOf(file);
  // An empty file is fine: LNbits creates the file before the tables.
  if (header.length === 0) return;
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new RepublishError('SourceMisconfigured', `${file} is not an SQLite database`);
  }
  const isWal = header[18] === WAL || header[19] === WAL;
  if (isWal && !(existsSync(`${file}-wal`) && existsSync(`${file}-shm`))) {
    throw new RepublishError(
      'SourceUnavailable',
      `${file} is in journal mode WAL and no process has it open, ` +
        'so reading it would leave files next to it: ' +
        "start LNbits, or set LNbits' default: PRAGMA journal_mode = delete",
    );
  }
}

function headerOf(file: string): Buffer {
  try {
    const opened = openSync(file, 'r');
    try {
      const header = Buffer.alloc(HEADER_BYTES);
      return header.subarray(0, readSync(opened, header, 0, HEADER_BYTES, 0));
    } finally {
      closeSync(opened);
    }
  } catch (thrown) {
    throw unreadable(file, (thrown as NodeJS.ErrnoException).code ?? 'unknown error');
  }
}

function unreadable(file: string, code: string): RepublishError {
  switch (code) {
    case 'ENOTDIR':
      return new RepublishError(
        'SourceMisconfigured',
        `${path.dirname(file)} is a file: ` +
          `LNBITS_DATABASE_URL must name the data folder of LNbits, where ${CORE_FILE} is`,
      );
    case 'ENOENT':
      return new RepublishError(
        'SourceMisconfigured',
        `${file} is missing: LNBITS_DATABASE_URL must name the data folder of LNbits ` +
          `(LNBITS_DATA_FOLDER), where ${CORE_FILE} is`,
      );
    case 'EACCES':
    case 'EPERM':
      return new RepublishError(
        'SourceMisconfigured',
        `${file} may not be read (${code}): ` +
          'run as the user of LNbits, or give this user the right to read it and to enter its folder',
      );
    case 'EISDIR':
      return new RepublishError('SourceMisconfigured', `${file} is a folder and no database`);
    default:
      return new RepublishError('SourceUnavailable', `${file} cannot be read now (${code})`);
  }
}

/** The schemas of the extensions that have a file in LNbits' data folder, in order. */
export function extensionSchemas(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (thrown) {
    throw unreadable(folder, (thrown as NodeJS.ErrnoException).code ?? 'unknown error');
  }
  return names.flatMap((name) => /^ext_(.+)\.sqlite3$/.exec(name)?.[1] ?? []).sort();
}

/** The name of the file with the tables of an extension. */
export function extensionFile(schema: string): string {
  return `ext_${schema}.sqlite3`;
}

export function hasExtension(folder: string, schema: string): boolean {
  return existsSync(path.join(folder, extensionFile(schema)));
}

/** Schemas of SQLite itself. An extension cannot have such a name. */
const RESERVED = ['main', 'temp'];

/**
 * The schemas whose tables the SQL reads: names before a dot, after FROM, JOIN or a comma. The alias of a
 * table is not a schema.
 */
export function schemasIn(sql: string, schemas: readonly string[]): string[] {
  return schemas.filter((schema) => {
    if (RESERVED.includes(schema.toLowerCase())) return false;
    const name = schema.replaceAll(/[^A-Za-z0-9_]/g, '\\$&');
    return new RegExp(`(\\b(from|join)|,)[\\s(]*["\`[]?${name}["\`\\]]?\\s*\\.\\s*["\`[]?\\w`, 'i').test(sql);
  });
}
