export const STATEMENT_TIMEOUT_MS = 30_000;

/**
 * The settings that every statement needs. A server, a database or a role may have others.
 *
 * - READ COMMITTED: a statement that waited for a lock sees what was committed meanwhile. The seal and the
 *   migrations need that.
 * - Formats: a time, an interval, bytes and a floating point number have the same text on every server. The
 *   state of a machine contains such texts. If a text changed, the document would count as changed, and would
 *   be signed again.
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

/** A setting that only this program makes. Where it is missing, a pooler has dropped all of them. */
const MARK = 'republish.session';

/** The `options` parameter at the start of a connection: the settings of the URL, then these. */
export function sessionOptions(others: string | undefined): string {
  const ours = Object.entries({ ...SETTINGS, [MARK]: 'taken' }).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(' ', '\\ ')}`,
  );
  return [...(others === undefined ? [] : [others]), ...ours].join(' ');
}

export const ASK_FOR_SETTINGS = `SELECT coalesce(current_setting('${MARK}', true), '') = 'taken' AS taken`;

const BEGIN = 'BEGIN ISOLATION LEVEL READ COMMITTED';
const SET_ALL = Object.entries(SETTINGS).map(([name, value]) => `SET LOCAL ${name} = '${value}'`);

/**
 * Begins a transaction with the settings. Behind a pooler another client may get the session after the
 * transaction, so SET LOCAL must not leave anything in it. One message without parameters.
 *
 * @param hasSettings the session has the settings already
 */
export function beginOf({ hasSettings, readOnly }: { hasSettings: boolean; readOnly: boolean }): string {
  const begin = readOnly ? `${BEGIN} READ ONLY` : BEGIN;
  return hasSettings ? begin : [begin, ...SET_ALL].join('; ');
}
