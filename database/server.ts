import { RepublishError } from '../contract/failures';
import type { Queryable, Writable } from './connection';
import { NEEDS_UTF8 } from './refusals';

/** What this program needs to know about the server and the database. */
export interface ServerFacts {
  /** Such as `18.4`. */
  version: string;
  database: string;
  user: string;
  /** Encoding of the database: `UTF8`, `SQL_ASCII`, `LATIN1`... */
  encoding: string;
}

export async function serverFacts(db: Queryable): Promise<ServerFacts> {
  const [facts] = await db.query<ServerFacts & Record<string, unknown>>(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
            current_database()::text AS database, current_user::text AS user,
            current_setting('server_encoding') AS encoding`,
  );
  if (facts === undefined) throw new Error('a SELECT without FROM has returned no row');
  return facts;
}

/**
 * Encodings of a database that can store every text. Reasons, names of machines and the messages of bunkers
 * and relays may contain any character. SQL_ASCII stores bytes without looking at them.
 */
export const STORES_ALL: readonly string[] = ['UTF8', 'SQL_ASCII'];

export function cannotStoreAll({ database, encoding }: ServerFacts): RepublishError {
  return new RepublishError(
    'DatabaseMisconfigured',
    `database ${database} has the encoding ${encoding}, which cannot store every character of the ledger`,
    { remedy: NEEDS_UTF8 },
  );
}

/** A sequence that is behind the rows of its table. */
interface SequenceBehind {
  table: string;
  /** Qualified and quoted. */
  sequence: string;
  /** The highest number in the table. */
  newest: string;
}

/**
 * Tables of the schema `republish` whose sequence would next return a number that a row has already. Logical
 * replication and some restores copy the rows without the sequences. Sequences that this role may not read
 * are left out.
 */
export async function sequencesBehind(db: Queryable): Promise<SequenceBehind[]> {
  const behind: SequenceBehind[] = [];
  for (const { table, column, sequence } of await numberedColumns(db)) {
    const [newest] = await db.query<{ newest: string }>(
      `SELECT max(${column})::text AS newest FROM republish.${table}
       HAVING max(${column}) >
              (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM ${sequence})`,
    );
    if (newest !== undefined) behind.push({ table, sequence, ...newest });
  }
  return behind;
}

/** Columns of the schema `republish` that get their numbers from a sequence. */
function numberedColumns(db: Queryable): Promise<{ table: string; column: string; sequence: string }[]> {
  return db.query(
    `SELECT owner.relname::text AS "table", quote_ident(attname) AS "column",
            sequence.oid::regclass::text AS sequence
       FROM pg_depend
       JOIN pg_class AS sequence ON sequence.oid = pg_depend.objid AND sequence.relkind = 'S'
       JOIN pg_class AS owner ON owner.oid = pg_depend.refobjid
       JOIN pg_attribute ON attrelid = owner.oid AND attnum = pg_depend.refobjsubid
      WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
        AND owner.relnamespace = to_regnamespace('republish') AND pg_depend.deptype IN ('a', 'i')
        -- CASE fixes the order: has_sequence_privilege fails for an object that is no sequence.
        AND CASE WHEN sequence.relkind = 'S' THEN has_sequence_privilege(sequence.oid, 'SELECT') END
        AND has_table_privilege(owner.oid, 'SELECT')
      ORDER BY 1`,
  );
}

/**
 * Sets each sequence that is behind its rows to the highest number, where this role may.
 *
 * @returns the names of the tables
 */
export async function renumber(client: Writable): Promise<string[]> {
  const behind = await sequencesBehind(client);
  const done: string[] = [];
  for (const { table, sequence, newest } of behind) {
    const set = await client.query(
      `SELECT setval($1::regclass, $2::bigint) WHERE has_sequence_privilege($1::regclass, 'UPDATE')`,
      [sequence, newest],
    );
    if (set.length > 0) done.push(table);
  }
  return done;
}
