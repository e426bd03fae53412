import { existsSync } from 'node:fs';
import path from 'node:path';
import { parsePostgresUrl } from '../database/postgres-url';

/** LNbits' core database; the tables of each extension are in a file `ext_<schema>.sqlite3` beside it. */
export const CORE_FILE = 'database.sqlite3';

export type LnbitsUrl = { kind: 'postgres'; url: string } | { kind: 'sqlite'; folder: string };

/**
 * Where LNbits' tables are, from LNBITS_DATABASE_URL (`postgres://...`, or `sqlite://` and the data folder)
 * or from LNBITS_DATA_FOLDER (a plain path). Accepts what people write, among it what SQLAlchemy prints:
 * `postgresql+asyncpg://`, `sqlite+aiosqlite:///./data/database.sqlite3`. Does not look whether the folder is
 * complete: the source says that.
 *
 * @param cwd where relative paths begin
 * @throws Error with cause and remedy; it never quotes the text, which may hold a password
 */
export function parseLnbitsUrl(text: string, cwd = process.cwd()): LnbitsUrl {
  const written = text.trim();
  if (written === '') throw new Error(`is empty: ${WRITE}`);
  const scheme = /^([A-Za-z][A-Za-z0-9.-]*)(\+[A-Za-z0-9_]+)?:/.exec(written);
  // A single letter is a drive of Windows.
  if (scheme === null || scheme[1]?.length === 1) return { kind: 'sqlite', folder: folderOf([written], cwd) };
  const name = (scheme[1] ?? '').toLowerCase();
  const rest = written.slice(scheme[0].length);
  if (name === 'cockroachdb') {
    throw new Error(`is CockroachDB, which is not supported: move LNbits to Postgres or SQLite; ${WRITE}`);
  }
  if (!rest.startsWith('//')) throw new Error(`has no // behind "${name}:": ${WRITE}`);
  if (name === 'postgres' || name === 'postgresql') {
    const url = `${name}:${rest}`;
    parsePostgresUrl(url);
    return { kind: 'postgres', url };
  }
  if (name === 'sqlite') return { kind: 'sqlite', folder: folderOf(sqlitePaths(rest.slice(2)), cwd) };
  throw new Error(`begins with "${name}://": ${WRITE}`);
}

const WRITE =
  'write postgres://user:password@host/database, or sqlite:///path/to/lnbits/data (the folder with database.sqlite3)';

/** What the text behind `sqlite://` can mean, the likeliest first. */
function sqlitePaths(rest: string): string[] {
  if (rest === '' || rest === '/') throw new Error(`names no folder: ${WRITE}`);
  if (/^\/?:memory:/.test(rest)) throw new Error(`is a database in memory: ${WRITE}`);
  if (/[?#]/.test(rest))
    throw new Error(`has a ? or # behind the folder (in a name, write %3F or %23): ${WRITE}`);
  const spellings = [...new Set([decoded(rest), rest])];
  return spellings.flatMap((spelling) => {
    const beneath = spelling.replace(/^\/+/, '');
    // Two slashes and a name, or three and a dot: nothing absolute begins like that.
    if (!spelling.startsWith('/') || /^\/\.{1,2}(\/|$)/.test(spelling)) return [beneath];
    if (spelling.startsWith('//')) return [`/${beneath}`];
    // Three slashes are an absolute path in every URL but SQLAlchemy's, where they begin a relative one.
    return [spelling, beneath];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('has a % that begins no percent-encoded character: write %25 for a percent sign');
  }
}

/** The first of the paths where LNbits' core database is, else the first. */
function folderOf(paths: readonly string[], cwd: string): string {
  const folders = paths.map((one) => {
    const absolute = path.resolve(cwd, one);
    return path.basename(absolute) === CORE_FILE ? path.dirname(absolute) : absolute;
  });
  return folders.find((folder) => existsSync(path.join(folder, CORE_FILE))) ?? folders[0] ?? cwd;
}
