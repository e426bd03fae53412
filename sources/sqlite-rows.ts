import { RepublishError } from '../contract/failures';
import { sqlIdentifier } from '../database/identifier';
import type { SqliteConnection, SqliteParameters, SqliteValue } from './sqlite-driver';

/** The column names of a query. Empty also if the query returns no row. */
export function columnsOf(connection: SqliteConnection, sql: string, parameters: SqliteParameters): string[] {
  const { columns } = connection.all(`SELECT * FROM (${sql}\n) AS source LIMIT 1`, parameters);
  for (const column of columns) {
    // SQLite renames the second of two columns with one name, to `name:1`.
    const name = /^(.*):\d+$/s.exec(column)?.[1]?.toLowerCase();
    if (columns.some((other) => other.toLowerCase() === name)) {
      throw new RepublishError('SourceMisconfigured', `two columns are named "${name}"`);
    }
  }
  return columns;
}

/**
 * SQL for the approximate bytes of a row as JSON. It only uses lengths, so a huge row is refused before it is
 * read.
 */
export function sizeOf(columns: readonly string[]): string {
  const sizes = columns.map(
    (column) => `ifnull(length(CAST(${from(column)} AS BLOB)), 4) + ${Buffer.byteLength(column) + 4}`,
  );
  return ['0', ...sizes].join(' + ');
}

/**
 * SQL for the values of a row: two columns for each, the type and the value. Text is returned as bytes: the
 * drivers silently change text that is not UTF-8, or cut it at a NUL.
 */
export function valuesOf(columns: readonly string[]): string {
  return columns
    .map((column, index) => {
      const source = from(column);
      const value = `CASE typeof(${source}) WHEN 'text' THEN CAST(${source} AS BLOB) ELSE ${source} END`;
      return `typeof(${source}) AS t${index}, ${value} AS v${index}`;
    })
    .join(', ');
}

/**
 * Rows as JSON text. Each number keeps the digits that the database has.
 *
 * @param rows the result of `valuesOf(columns)`
 * @throws RepublishError StateInvalid: a value that JSON cannot represent. The message names its column,
 *   never the value
 */
export function jsonOf(columns: readonly string[], rows: readonly SqliteValue[][]): string[] {
  return rows.map((row, at) => {
    const members = columns.map((column, index) => {
      const value = jsonValue(row[index * 2], row[index * 2 + 1] ?? null);
      if (typeof value === 'string') return `${JSON.stringify(column)}:${value}`;
      throw new RepublishError('StateInvalid', `${place(column, at, rows.length)} ${value.problem}`);
    });
    return `{${members.join(',')}}`;
  });
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function jsonValue(type: SqliteValue | undefined, value: SqliteValue): string | { problem: string } {
  if (value === null) return 'null';
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') {
    return Number.isFinite(value) ? String(value) : { problem: 'is infinite, which JSON cannot say' };
  }
  if (type !== 'text') return { problem: 'is a BLOB, which JSON cannot carry' };
  if (typeof value === 'string') return JSON.stringify(value);
  try {
    return JSON.stringify(UTF8.decode(value));
  } catch {
    return { problem: 'is text that is not UTF-8' };
  }
}

function place(column: string, at: number, rows: number): string {
  return rows === 1 ? `"${column}"` : `"${column}" of row ${at + 1}`;
}

function from(column: string): string {
  return `source.${sqlIdentifier(column)}`;
}
