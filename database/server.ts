import { RepublishError } from '../contract/failures';
import type { Queryable, Writable } from './connection';
import { NEEDS_UTF8 } from './refusals';

/** What a server says of itself, as far as it matters here. */
export interface ServerFacts {
  /** Such as `18.4`. */
  version: string;
  database: string;
  user: string;
  /** Of the database: `UTF8`, `SQL_ASCII`, `LATIN1`... */
  encoding: string;
}

export async function serverFacts(db: Queryable): Promise<ServerFacts> {
  const [facts] = await db.query<ServerFacts & Record<string, unknown>>(
    `SELECT split_part(current_setting('server_version'), ' ', 1) AS version, current_database()::text AS database,
            current_user::text AS user, current_setting('server_encoding') AS encoding`,
  );
  if (facts === undefined) throw new Error('Postgres says nothing of itself');
  return facts;
}

/**
 * Encodings of a database that take every text: reasons, names of machines and the words of bunkers and
 * relays may have any character. SQL_ASCII keeps the bytes that it is given.
 */
export const STORES_ALL: readonly string[] = ['UTF8', 'SQL_ASCII'];

export function cannotStoreAll({ database, encoding }: ServerFacts): RepublishError {
  return new RepublishError(
    'DatabaseMisconfigured',
    `database ${database} has the encoding ${encoding}, and cannot store every character that a ledger is given`,
    undefined,
    NEEDS_UTF8,
  );
}

/** A sequence that is behind the rows of its table. */
interface Behind {
  table: string;
  sequence: string;
  newest: string;
}

/**
 * Tables of the schema `republish` whose next number is taken already. Logical replication, and some
 * restores, copy rows and no sequences. Only those whose sequence this role may see.
 */
export async function sequencesBehind(db: Queryable): Promise<Behind[]> {
  const numbered = await db.query<{ table: string; column: string; sequence: string }>(
    `SELECT owner.relname::text AS "table", quote_ident(attname) AS "column", sequence.oid::regclass::text AS sequence
       FROM pg_depend
       JOIN pg_class AS sequence ON sequence.oid = pg_depend.objid AND sequence.relkind = 'S'
       JOIN pg_class AS owner ON owner.oid = pg_depend.refobjid
       JOIN pg_attribute ON attrelid = owner.oid AND attnum = pg_depend.refobjsubid
      WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
        AND owner.relnamespace = to_regnamespace('republish') AND pg_depend.deptype IN ('a', 'i')
        -- In the order that is written: what is no sequence would be an error.
        AND CASE WHEN sequence.relkind = 'S' THEN has_sequence_privilege(sequence.oid, 'SELECT') END
        AND has_table_privilege(owner.oid, 'SELECT')
      ORDER BY 1`,
  );
  const behind: Behind[] = [];
  for (const { table, column, sequence } of numbered) {
    const [newest] = await db.query<{ newest: string }>(
      `SELECT max(${column})::text AS newest FROM republish.${table}
       HAVING max(${column}) > (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM ${sequence})`,
    );
    if (newest !== undefined) behind.push({ table, sequence, ...newest });
  }
  return behind;
}

/** Sets the sequences behind their rows, where this role may. Returns the tables. */
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
