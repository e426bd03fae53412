import { RepublishError } from '../contract/failures';
import { MAX_ROWS } from './rows';
import type { StateRows } from './source';
import type { SqliteConnection, SqliteParameters, SqliteValue } from './sqlite-driver';
import { columnsOf, jsonOf, sizeOf, valuesOf } from './sqlite-rows';

/**
 * The state of one machine, by SQL with `$1`. The rows keep the order of that SQL: the outer statement does
 * not sort, join or group, so SQLite keeps an inner ORDER BY.
 */
export function stateOfOne(
  connection: SqliteConnection,
  sql: string,
  machineId: string,
  maxBytes: number,
): StateRows {
  const parameters = { 1: machineId };
  const columns = columnsOf(connection, sql, parameters);
  if (columns.length === 0) return [];
  const [size = []] = connection.all(
    `SELECT count(*), sum(size)
       FROM (SELECT ${sizeOf(columns)} AS size FROM (${sql}\n) AS source LIMIT ${MAX_ROWS + 1})`,
    parameters,
  ).rows;
  return (
    tooLarge(size, maxBytes) ??
    stateOf(columns, connection.all(`SELECT ${valuesOf(columns)} FROM (${sql}\n) AS source`, parameters).rows)
  );
}

/**
 * The states of many machines, by SQL that returns the rows of all. The rows of a machine are sorted: SQLite
 * returns them in any order, and the same rows must be the same document.
 */
export function statesOfMany(
  connection: SqliteConnection,
  sql: string,
  machineIds: readonly string[],
  maxBytes: number,
): Map<string, StateRows> {
  const states = new Map<string, StateRows>(machineIds.map((id) => [id, []]));
  // `columnsOf` returns nothing for an empty table. This fails if the column is missing there too.
  connection.all(`SELECT source.machine_id FROM (${sql}\n) AS source LIMIT 0`);
  const columns = columnsOf(connection, sql, {});
  if (columns.length === 0) return states;
  const rowsOf = (ids: readonly string[], select: string, rest: string): SqliteValue[][] => {
    const parameters: SqliteParameters = { ids: JSON.stringify(ids) };
    return connection.all(
      `SELECT CAST(source.machine_id AS TEXT) AS id, ${select} FROM (${sql}\n) AS source
        WHERE CAST(source.machine_id AS TEXT) IN (SELECT value FROM json_each($ids)) ${rest}`,
      parameters,
    ).rows;
  };
  const fitting: string[] = [];
  for (const [id, ...size] of rowsOf(machineIds, `count(*), sum(${sizeOf(columns)})`, 'GROUP BY 1')) {
    const refused = tooLarge(size, maxBytes);
    if (refused === undefined) fitting.push(String(id));
    else states.set(String(id), refused);
  }
  const found = new Map<string, SqliteValue[][]>();
  for (const [id, ...values] of rowsOf(fitting, valuesOf(columns), '')) {
    const rows = found.get(String(id));
    if (rows === undefined) found.set(String(id), [values]);
    else rows.push(values);
  }
  for (const [id, rows] of found) states.set(id, sorted(stateOf(columns, rows)));
  return states;
}

function stateOf(columns: readonly string[], rows: readonly SqliteValue[][]): StateRows {
  try {
    return jsonOf(columns, rows);
  } catch (thrown) {
    if (thrown instanceof RepublishError && thrown.type === 'StateInvalid') return thrown;
    throw thrown;
  }
}

/** @param size the number of rows, and their bytes */
function tooLarge([rows, bytes]: SqliteValue[], maxBytes: number): RepublishError | undefined {
  if (Number(rows) > MAX_ROWS)
    return new RepublishError('StateTooLarge', `the state has more than ${MAX_ROWS} rows`);
  if (Number(bytes) > maxBytes * 4) {
    return new RepublishError('StateTooLarge', `the rows of the state have more than ${maxBytes * 4} bytes`);
  }
  return undefined;
}

function sorted(rows: StateRows): StateRows {
  return rows instanceof RepublishError
    ? rows
    : rows.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
}
