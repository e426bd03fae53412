import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { lnbitsTables } from '../../dev/seed';
import { installed } from './installed';

const BETTER_SQLITE3 = '12';

export function nodeHasSqlite(): boolean {
  return process.getBuiltinModule('node:sqlite') !== undefined;
}

/** The folder for NODE_PATH in which better-sqlite3 is, made for the running Node. */
export function betterSqlite3Folder(): Promise<string> {
  return installed('better-sqlite3', BETTER_SQLITE3);
}

/** A Node that has node:sqlite; the running one where it does. */
export async function nodeWithSqlite(): Promise<string> {
  if (nodeHasSqlite()) return process.execPath;
  return path.join(await installed('node', '22'), 'node/bin/node');
}

/** As LNbits has it open: to write. */
export interface SqliteWriter {
  exec(sql: string): unknown;
  prepare(sql: string): { run(...parameters: unknown[]): unknown };
  close(): unknown;
}

/**
 * JavaScript for a child program: defines `openToWrite(file)`. NODE_PATH must lead to a driver where Node has
 * none.
 */
export const OPEN_TO_WRITE = `
  const openToWrite = (file) => {
    const { emitWarning } = process;
    process.emitWarning = () => undefined;
    const sqlite = process.getBuiltinModule('node:sqlite');
    process.emitWarning = emitWarning;
    return sqlite ? new sqlite.DatabaseSync(file) : new (require('better-sqlite3'))(file);
  };
`;

export async function openToWrite(file: string): Promise<SqliteWriter> {
  const sqlite = process.getBuiltinModule('node:sqlite') as
    { DatabaseSync: new (file: string) => SqliteWriter } | undefined;
  if (sqlite !== undefined) return new sqlite.DatabaseSync(file);
  const load = createRequire(path.join(await betterSqlite3Folder(), 'x.js'));
  return new (load('better-sqlite3') as new (file: string) => SqliteWriter)(file);
}

export interface LnbitsFolder {
  folder: string;
  /** `spirekeeper` is attached. */
  write(sql: string): Promise<void>;
  path(file: string): string;
  remove(): Promise<void>;
}

/** A data folder as LNbits on SQLite lays it, with the extension's tables and one row of super_config. */
export async function makeLnbitsFolder(): Promise<LnbitsFolder> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'republish-lnbits-'));
  const file = (name: string): string => path.join(folder, name);
  const write = async (sql: string): Promise<void> => {
    const database = await openToWrite(file('database.sqlite3'));
    try {
      database.exec('PRAGMA synchronous = off');
      database.exec(`ATTACH '${file('ext_spirekeeper.sqlite3')}' AS spirekeeper`);
      database.exec(sql);
    } finally {
      database.close();
    }
  };
  await write(await lnbitsTables());
  await write(
    'INSERT INTO spirekeeper.super_config (super_cash_in_fee_fraction, super_cash_out_fee_fraction) VALUES (0.03, 0.03)',
  );
  return { folder, write, path: file, remove: () => rm(folder, { recursive: true, force: true }) };
}
