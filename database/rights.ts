import type { Queryable } from './connection';
import type { Right } from './rights-list';

/** What `lookAtRights` found. */
export interface Rights {
  /** The user of the connection. */
  user: string;
  /** The name of the database. */
  database: string;
  /**
   * The rights that the user lacks, with the missing columns if only some are missing. Nothing about a table
   * that does not exist: the version of the schema shows that.
   */
  missing: Right[];
  /** The server is a standby, or transactions of this user or database are read-only. */
  readOnly: boolean;
}

/** Asks the catalogue which of these rights the user of the connection lacks. It writes nothing. */
export async function lookAtRights(db: Queryable, needed: readonly Right[]): Promise<Rights> {
  const [who] = await db.query<Omit<Rights, 'missing'>>(
    `SELECT current_user::text AS user, current_database()::text AS database,
            pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS "readOnly"`,
  );
  return {
    user: who?.user ?? '',
    database: who?.database ?? '',
    readOnly: who?.readOnly ?? false,
    missing: await missingRights(db, needed),
  };
}

/**
 * The catalogue functions are called with the oid of each object. With a name they fail when the user has no
 * right to use the schema.
 */
async function missingRights(db: Queryable, needed: readonly Right[]): Promise<Right[]> {
  const rows = await db.query<{ n: number; columns: string[] | null }>(
    `WITH needed AS (
       SELECT right_.*, namespace.oid AS schema_oid, class.oid AS table_oid, function.oid AS function_oid
         FROM jsonb_to_recordset($1)
                AS right_ (n int, privilege text, "on" text, schema text, name text, columns text[])
         LEFT JOIN pg_namespace AS namespace ON namespace.nspname = right_.schema
         LEFT JOIN pg_class AS class
                ON class.relnamespace = namespace.oid AND class.relname = right_.name
               AND right_."on" = 'TABLE'
         LEFT JOIN pg_proc AS function
                ON function.pronamespace = namespace.oid AND function.proname = right_.name
               AND right_."on" = 'FUNCTION')
     SELECT n, CASE WHEN columns IS NOT NULL THEN lacking END AS columns
       FROM needed
       -- A right on each column of a table has the same effect as a right on the table.
       LEFT JOIN LATERAL (
         SELECT array_agg(attname::text ORDER BY attnum) AS lacking
           FROM pg_attribute
          WHERE attrelid = table_oid AND attnum > 0 AND NOT attisdropped
            AND (columns IS NULL OR attname = ANY (columns))
            AND NOT CASE privilege WHEN 'DELETE' THEN false
                                   ELSE has_column_privilege(table_oid, attnum, privilege) END
       ) AS columns_ ON "on" = 'TABLE'
      -- NULL, for an object that does not exist, counts as granted.
      WHERE NOT coalesce(
        CASE "on" WHEN 'DATABASE'
                  THEN schema_oid IS NOT NULL OR has_database_privilege(current_database(), privilege)
                  WHEN 'SCHEMA' THEN has_schema_privilege(schema_oid, privilege)
                  WHEN 'FUNCTION' THEN has_function_privilege(function_oid, privilege)
                  ELSE CASE WHEN table_oid IS NOT NULL
                            THEN lacking IS NULL OR has_table_privilege(table_oid, privilege) END
        END, true)
      ORDER BY n`,
    [JSON.stringify(needed.map((right, n) => ({ ...right, n })))],
  );
  return rows.flatMap(({ n, columns }) => {
    const right = needed[n];
    return right === undefined ? [] : [columns === null ? right : { ...right, columns }];
  });
}
