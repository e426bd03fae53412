import { existsSync } from 'node:fs';
import path from 'node:path';
import { parsePostgresUrl } from '../database/postgres-url';

/**
 * The file of LNbits' core database. The tables of each extension are in `ext_<schema>.sqlite3` next to it.
 */
export const CORE_FILE = 'database.sqlite3';

export type LnbitsUrl = { kind: 'postgres'; url: string } | { kind: 'sqlite'; folder: string };

/**
 * Where LNbits' tables are, from LNBITS_DATABASE_URL (`postgres://...`, or `sqlite://` and the data folder)
 * or from LNBITS_DATA_FOLDER (a plain path). It also accepts the URLs that SQLAlchemy prints:
 * `postgresql+asyncpg://`, `sqlite+aiosqlite:///./data/database.sqlite3`. It does not check that the folder
 * is complete: the source does.
 *
 * @param cwd the folder that relative paths start from
 * @throws Error with cause and remedy. It never contains the text, which may have a password
 */
export function parseLnbitsUrl(text: string, cwd = process.cwd()): LnbitsUrl {
  const written = text.trim();
  if (written === '') throw new Error(`is empty: ${WRITE}`);
  const scheme = /^([A-Za-z][A-Za-z0-9.-]*)(\+[A-Za-z0-9_]+)?:/.exec(written);
  // One letter is a drive of Windows.
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
  'write postgres://user:password@host/database, ' +
  'or sqlite:///path/to/lnbits/data (the folder with database.sqlite3)';

/** The paths that the text after `sqlite://` can mean, the likeliest first. */
function sqlitePaths(rest: string): string[] {
  if (rest === '' || rest === '/') throw new Error(`names no folder: ${WRITE}`);
  if (/^\/?:memory:/.test(rest)) throw new Error(`is a database in memory: ${WRITE}`);
  if (/[?#]/.test(rest))
    throw new Error(`has a ? or # behind the folder (in a name, write %3F or %23): ${WRITE}`);
  const spellings = [...new Set([decoded(rest), rest])];
  return spellings.flatMap((spelling) => {
    const beneath = spelling.replace(/^\/+/, '');
    // `sqlite://name` and `sqlite:///./name` are relative.
    if (!spelling.startsWith('/') || /^\/\.{1,2}(\/|$)/.test(spelling)) return [beneath];
    if (spelling.startsWith('//')) return [`/${beneath}`];
    // `sqlite:///name` is absolute in most URLs, and relative in those of SQLAlchemy.
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

/** The first folder that has LNbits' core database, else the first folder. */
function folderOf(paths: readonly string[], cwd: string): string {
  const folders = paths.map((one) => {
    const absolute = path.resolve(cwd, one);
    return path.basename(absolute) === CORE_FILE ? path.dirname(absolute) : absolute;
  });
  return folders.find((folder) => existsSync(path.join(folder, CORE_FILE))) ?? folders[0] ?? cwd;
}
