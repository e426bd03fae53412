import type { Queryable } from './connection';

/** What a worker and the commands do with each table of the schema `republish`. */
const NEEDED: Record<string, readonly string[]> = {
  migrations: ['SELECT'],
  signers: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  pairings: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  signer_checks: ['SELECT', 'INSERT', 'UPDATE', 'DELETE'],
  runs: ['SELECT', 'INSERT', 'UPDATE'],
  pages: ['SELECT', 'INSERT', 'UPDATE'],
  documents: ['SELECT', 'INSERT', 'UPDATE'],
  signer_proofs: ['SELECT', 'INSERT'],
  audit_log: ['SELECT', 'INSERT'],
};

export interface Rights {
  /** The user as whom the database was asked. */
  user: string;
  /** Such as `INSERT on republish.documents`; tables that are not there are left to the schema's version. */
  missing: string[];
  /** A standby, or a user or database whose transactions are read-only. */
  readOnly: boolean;
}

/** Looks in the catalogue, and so without writing, which rights on the schema `republish` this user lacks. */
export async function rightsOnSchema(db: Queryable): Promise<Rights> {
  const needed = Object.entries(NEEDED).flatMap(([table, rights]) =>
    rights.map((right) => ({ table, right })),
  );
  const [who] = await db.query<{ user: string; readOnly: boolean }>(
    `SELECT current_user::text AS user,
            pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' AS "readOnly"`,
  );
  // By oid: asked by name, a schema that may not be used would be an error in place of an answer.
  const missing = await db.query<{ missing: string }>(
    `SELECT 'USAGE on schema republish' AS missing FROM pg_namespace
      WHERE nspname = 'republish' AND NOT has_schema_privilege(oid, 'USAGE')
     UNION ALL
     SELECT needed.privilege || ' on republish.' || needed.name
       FROM unnest($1::text[], $2::text[]) AS needed (name, privilege)
       JOIN pg_class ON pg_class.relname = needed.name
       JOIN pg_namespace ON pg_namespace.oid = pg_class.relnamespace AND pg_namespace.nspname = 'republish'
      -- Of a table whose columns are not all granted, any of them tells.
      WHERE NOT CASE needed.privilege WHEN 'DELETE' THEN has_table_privilege(pg_class.oid, 'DELETE')
                                      ELSE has_any_column_privilege(pg_class.oid, needed.privilege) END`,
    [needed.map(({ table }) => table), needed.map(({ right }) => right)],
  );
  return {
    user: who?.user ?? '',
    missing: missing.map((row) => row.missing),
    readOnly: who?.readOnly ?? false,
  };
}
