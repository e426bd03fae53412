import { createRequire } from 'node:module';
import path from 'node:path';
import { RepublishError } from '../contract/failures';

/** A value of SQLite. INTEGER is a bigint and REAL is a number, so no digit is lost. */
export type SqliteValue = bigint | number | string | Uint8Array | null;

export type SqliteParameters = Record<string, string | number | null>;

export interface SqliteRows {
  /** Empty: there is no row. */
  columns: string[];
  rows: SqliteValue[][];
}

/** A database that is open for reading only. Every call blocks the event loop. */
export interface SqliteConnection {
  run(sql: string): void;
  /** @param parameters by name, without `$`. The SQL need not use all of them */
  all(sql: string, parameters?: SqliteParameters): SqliteRows;
  close(): void;
}

/**
 * better-sqlite3 is not in `peerDependencies`, although it is an optional peer: with an entry there, this
 * command installs nothing inside a clone (npm 11).
 */
const INSTALL = 'npm i better-sqlite3@12';

export type SqliteDriverName = 'node:sqlite' | 'better-sqlite3';

export interface SqliteDriver {
  readonly name: SqliteDriverName;
  /** Opens an existing file. It never creates one, and it does not wait for locks. */
  open(file: string): SqliteConnection;
}

/** An error of SQLite. `code` is the name of its primary result code, such as SQLITE_BUSY. */
export class SqliteFailure extends Error {
  override readonly name = 'SqliteFailure';
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The driver of this process: Node's own, else better-sqlite3. The user may have installed better-sqlite3
 * next to this package or in the working directory.
 *
 * @param only for tests
 * @throws RepublishError SourceMisconfigured: there is no driver
 */
export function findSqliteDriver(only?: SqliteDriverName): SqliteDriver {
  const driver =
    (only === 'better-sqlite3' ? undefined : nodeDriver()) ??
    (only === 'node:sqlite' ? undefined : betterSqlite3Driver());
  if (driver !== undefined) return driver;
  throw noDriver(
    `this Node (${process.version}) cannot read SQLite: ` +
      `run it with Node 22.13 or later, which has node:sqlite, or install a driver: ${INSTALL}`,
  );
}

/**
 * The message says what to do too: a run shows the message with the catalogue's remedy, which is about tables
 * and rights.
 */
function noDriver(message: string): RepublishError {
  const remedy = `Install the driver with this Node (${INSTALL}), or use Node 22.13 or later.`;
  return new RepublishError('SourceMisconfigured', message, { remedy });
}

/** The part of `node:sqlite` that is used. The types of Node 20 do not have it. */
interface NodeSqlite {
  DatabaseSync: new (
    file: string,
    options: { readOnly: boolean },
  ) => {
    exec(sql: string): void;
    prepare(sql: string): {
      setReadBigInts(on: boolean): void;
      /** Since Node 22.16. */
      columns?(): { name: string }[];
      all(parameters: SqliteParameters): Record<string, SqliteValue>[];
    };
    close(): void;
  };
}

function nodeDriver(): SqliteDriver | undefined {
  const sqlite = withoutExperimentalWarning(() => process.getBuiltinModule('node:sqlite')) as
    NodeSqlite | undefined;
  if (sqlite === undefined) return undefined;
  return {
    name: 'node:sqlite',
    open: (file) => {
      const database = translated(() => new sqlite.DatabaseSync(file, { readOnly: true }));
      return {
        run: (sql) => translated(() => database.exec(sql)),
        all: (sql, parameters = {}) =>
          translated(() => {
            const statement = database.prepare(sql);
            statement.setReadBigInts(true);
            const found = statement.all(used(sql, parameters));
            // The keys have the order of the columns, except names that are numbers. Before Node 22.16 there
            // is no better order.
            const keys = Object.keys(found[0] ?? {});
            const columns = keys.length === 0 ? [] : (statement.columns?.().map(({ name }) => name) ?? keys);
            return { columns, rows: found.map((row) => columns.map((column) => row[column] ?? null)) };
          }),
        close: () => database.close(),
      };
    },
  };
}

/** Loads `node:sqlite` without its warning, which is for developers and not for users of this program. */
function withoutExperimentalWarning<T>(load: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = (...args: unknown[]): void => {
    if (args[1] !== 'ExperimentalWarning') Reflect.apply(emitWarning, process, args);
  };
  try {
    return load();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** The part of `better-sqlite3` 12 that is used. */
type BetterSqlite3 = new (
  file: string,
  options: { readonly: boolean; fileMustExist: boolean; timeout: number },
) => {
  exec(sql: string): unknown;
  prepare(sql: string): {
    safeIntegers(on: boolean): unknown;
    raw(on: boolean): unknown;
    columns(): { name: string }[];
    all(parameters: SqliteParameters): SqliteValue[][];
  };
  close(): unknown;
};

function betterSqlite3Driver(): SqliteDriver | undefined {
  const Database = loadBetterSqlite3();
  if (Database === undefined) return undefined;
  return {
    name: 'better-sqlite3',
    open: (file) => {
      const options = { readonly: true, fileMustExist: true, timeout: 0 };
      const database = translated(() => new Database(file, options));
      return {
        run: (sql) => void translated(() => database.exec(sql)),
        all: (sql, parameters = {}) =>
          translated(() => {
            const statement = database.prepare(sql);
            statement.safeIntegers(true);
            statement.raw(true);
            const rows = statement.all(used(sql, parameters));
            return { columns: rows.length === 0 ? [] : statement.columns().map(({ name }) => name), rows };
          }),
        close: () => void database.close(),
      };
    },
  };
}

function loadBetterSqlite3(): BetterSqlite3 | undefined {
  for (const from of [__filename, path.join(process.cwd(), 'package.json')]) {
    const load = createRequire(from);
    try {
      load.resolve('better-sqlite3');
    } catch {
      continue;
    }
    try {
      const loaded = load('better-sqlite3') as BetterSqlite3;
      // The compiled part is loaded by the first connection, not by the import.
      new loaded(':memory:', { readonly: false, fileMustExist: false, timeout: 0 }).close();
      return loaded;
    } catch (thrown) {
      const [line] = String((thrown as Error).message).split('\n');
      throw noDriver(
        `better-sqlite3 is installed but does not load (${line}): ` +
          `install it again with this Node (${process.version}): ${INSTALL}`,
      );
    }
  }
  return undefined;
}

/** The parameters that the statement has. Both drivers refuse others. */
function used(sql: string, parameters: SqliteParameters): SqliteParameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => sql.includes(`$${name}`)));
}

/** Names of the primary result codes. `node:sqlite` has only their numbers. */
const CODES: Record<number, string> = {
  3: 'SQLITE_PERM',
  5: 'SQLITE_BUSY',
  6: 'SQLITE_LOCKED',
  7: 'SQLITE_NOMEM',
  8: 'SQLITE_READONLY',
  9: 'SQLITE_INTERRUPT',
  10: 'SQLITE_IOERR',
  11: 'SQLITE_CORRUPT',
  13: 'SQLITE_FULL',
  14: 'SQLITE_CANTOPEN',
  15: 'SQLITE_PROTOCOL',
  26: 'SQLITE_NOTADB',
};

function translated<T>(call: () => T): T {
  try {
    return call();
  } catch (thrown) {
    const { code, errcode, message } = thrown as { code?: unknown; errcode?: unknown; message: string };
    if (typeof errcode === 'number')
      throw new SqliteFailure(CODES[errcode & 0xff] ?? 'SQLITE_ERROR', message);
    // Without the suffix of extended codes, such as SQLITE_BUSY_SNAPSHOT.
    const name = typeof code === 'string' ? /^SQLITE_[A-Z]+/.exec(code)?.[0] : undefined;
    throw new SqliteFailure(name ?? 'SQLITE_ERROR', message);
  }
}
