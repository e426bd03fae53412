import { closeSync, existsSync, openSync, readdirSync, readSync } from 'node:fs';
import path from 'node:path';
import { RepublishError } from '../contract/failures';
import { CORE_FILE } from './url';

const MAGIC = 'SQLite format 3\0';
const HEADER_BYTES = 100;
const WAL = 2;

/**
 * Refuses what must not be opened, in words: a file that is missing, may not be read or is no database; and
 * one in journal mode WAL that nobody has open, because even a reader would make two files beside it and
 * leave them there.
 *
 * Synchronous, as the reading is: closing a file drops every lock that this process has on it, also those of
 * SQLite.
 *
 * @throws RepublishError SourceMisconfigured, SourceUnavailable
 */
export function requireReadable(file: string): void {
  const header = headerOf(file);
  // LNbits makes the file before it makes the tables.
  if (header.length === 0) return;
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new RepublishError('SourceMisconfigured', `${file} is not an SQLite database`);
  }
  const isWal = header[18] === WAL || header[19] === WAL;
  if (isWal && !(existsSync(`${file}-wal`) && existsSync(`${file}-shm`))) {
    throw new RepublishError(
      'SourceUnavailable',
      `${file} is in journal mode WAL and no process has it open, so that reading it would leave files beside it: ` +
        'start LNbits, or set PRAGMA journal_mode = delete, which is how LNbits makes it',
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
        `${path.dirname(file)} is a file: LNBITS_DATABASE_URL must name the data folder of LNbits, where ${CORE_FILE} is`,
      );
    case 'ENOENT':
      return new RepublishError(
        'SourceMisconfigured',
        `${file} is missing: LNBITS_DATABASE_URL must name the data folder of LNbits (LNBITS_DATA_FOLDER), where ${CORE_FILE} is`,
      );
    case 'EACCES':
    case 'EPERM':
      return new RepublishError(
        'SourceMisconfigured',
        `${file} may not be read (${code}): run as the user of LNbits, or give this user the right to read it and to enter its folder`,
      );
    case 'EISDIR':
      return new RepublishError('SourceMisconfigured', `${file} is a folder and no database`);
    default:
      return new RepublishError('SourceUnavailable', `${file} cannot be read now (${code})`);
  }
}

/** The schemas of the extensions that have a file in the folder. */
export function extensionSchemas(folder: string): string[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (thrown) {
    throw unreadable(folder, (thrown as NodeJS.ErrnoException).code ?? 'unknown error');
  }
  return names.flatMap((name) => /^ext_(.+)\.sqlite3$/.exec(name)?.[1] ?? []).sort();
}

/** Where LNbits on SQLite keeps the tables of an extension. */
export function extensionFile(schema: string): string {
  return `ext_${schema}.sqlite3`;
}

export function hasExtension(folder: string, schema: string): boolean {
  return existsSync(path.join(folder, extensionFile(schema)));
}

/** SQLite's own schemas: a file that is called like one can be no extension. */
const RESERVED = ['main', 'temp'];

/**
 * Those of the schemas of which the SQL reads a table: before a dot, where a table may stand. An alias of a
 * table is none.
 */
export function schemasIn(sql: string, schemas: readonly string[]): string[] {
  return schemas.filter((schema) => {
    if (RESERVED.includes(schema.toLowerCase())) return false;
    const name = schema.replaceAll(/[^A-Za-z0-9_]/g, '\\$&');
    return new RegExp(`(\\b(from|join)|,)[\\s(]*["\`[]?${name}["\`\\]]?\\s*\\.\\s*["\`[]?\\w`, 'i').test(sql);
  });
}
