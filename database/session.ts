export const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * What statements here rely on, and what a database, a role or a server may have set otherwise.
 *
 * - A statement that waits behind a lock sees what was committed meanwhile: the seal and the migrations need
 * that.
 * - The text of a time, of an interval, of bytes and of a floating point number is the same whatever the
 * server's settings are: the
 *   state of a machine is made of such texts, and another text is another document, which would be signed anew.
 */
const SETTINGS = {
  statement_timeout: String(STATEMENT_TIMEOUT_MS),
  default_transaction_isolation: 'read committed',
  TimeZone: 'UTC',
  DateStyle: 'ISO',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '3',
};

/** Tells whether the settings were taken: some poolers drop what they do not know, and say nothing. */
const MARK = 'republish.session';

/** The settings as a parameter at the start of a connection, behind those that the URL asks for. */
export function sessionOptions(others: string | undefined): string {
  const ours = Object.entries({ ...SETTINGS, [MARK]: 'taken' }).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`,
  );
  return [...(others === undefined ? [] : [others]), ...ours].join(' ');
}

export const IS_TAKEN = `SELECT coalesce(current_setting('${MARK}', true), '') = 'taken' AS taken`;

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';
const SET_ALL = Object.entries(SETTINGS).map(([name, value]) => `SET LOCAL ${name} = '${value}'`);

/**
 * What begins a transaction. Behind a pooler a session is lent to others between two transactions, so nothing
 * may be left in it, and nothing be expected there: then the transaction brings its settings along. One
 * message, no parameters.
 *
 * @param isSet the session has the settings already
 */
export function beginOf({ isSet, readOnly }: { isSet: boolean; readOnly: boolean }): string {
  const begin = readOnly ? `${BEGIN} READ ONLY` : BEGIN;
  return isSet ? begin : [begin, ...SET_ALL].join('; ');
}
