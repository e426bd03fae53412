import type { Queryable } from './connection';
import type { Right } from './rights-list';

export interface Rights {
  /** The user as whom the database was asked. */
  user: string;
  /** The name of the database. */
  database: string;
  /** What the user lacks; of some columns those alone. What is not there is left to the schema's version. */
  missing: Right[];
  /** A standby, or a user or database whose transactions are read-only. */
  readOnly: boolean;
}

/**
 * Looks in the catalogue, and so without writing, which of these rights this user lacks. By oid: asked by
 * name, a schema that may not be used would be an error in place of an answer.
 */
export async function lookAtRights(db: Queryable, needed: readonly Right[]): Promise<Rights> {
  const [who] = await db.query<Omit<Rights, 'missing'>>(
    `SELECT current_user::text AS user, current_database()::text AS database,
            pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS "readOnly"`,
  );
  const rows = await db.query<{ n: number; columns: string[] | null }>(
    `WITH needed AS (
       SELECT right_.*, namespace.oid AS schema_oid, class.oid AS table_oid, function.oid AS function_oid
         FROM jsonb_to_recordset($1) AS right_ (n int, privilege text, "on" text, schema text, name text, columns text[])
         LEFT JOIN pg_namespace AS namespace ON namespace.nspname = right_.schema
         LEFT JOIN pg_class AS class ON class.relnamespace = namespace.oid AND class.relname = right_.name
                                    AND right_."on" = 'TABLE'
         LEFT JOIN pg_proc AS function ON function.pronamespace = namespace.oid AND function.proname = right_.name
                                      AND right_."on" = 'FUNCTION')
     SELECT n, CASE WHEN columns IS NOT NULL THEN lacking END AS columns
       FROM needed
       -- Rights on all columns of a table are as good as one on the table.
       LEFT JOIN LATERAL (
         SELECT array_agg(attname::text ORDER BY attnum) AS lacking
           FROM pg_attribute
          WHERE attrelid = table_oid AND attnum > 0 AND NOT attisdropped AND (columns IS NULL OR attname = ANY (columns))
            AND NOT CASE privilege WHEN 'DELETE' THEN false ELSE has_column_privilege(table_oid, attnum, privilege) END
       ) AS columns_ ON "on" = 'TABLE'
      WHERE NOT coalesce(
        CASE "on" WHEN 'DATABASE' THEN schema_oid IS NOT NULL OR has_database_privilege(current_database(), privilege)
                  WHEN 'SCHEMA' THEN has_schema_privilege(schema_oid, privilege)
                  WHEN 'FUNCTION' THEN has_function_privilege(function_oid, privilege)
                  ELSE CASE WHEN table_oid IS NOT NULL THEN lacking IS NULL OR has_table_privilege(table_oid, privilege) END
        END, true)
      ORDER BY n`,
    [JSON.stringify(needed.map((right, n) => ({ ...right, n })))],
  );
  const missing = rows.flatMap(({ n, columns }) => {
    const right = needed[n];
    return right === undefined ? [] : [columns === null ? right : { ...right, columns }];
  });
  return {
    user: who?.user ?? '',
    database: who?.database ?? '',
    readOnly: who?.readOnly ?? false,
    missing,
  };
}
