import type { Source } from '../sources/source';
import { type SourceQueries, statementsOf } from '../sources/queries';
import type { Queryable } from './connection';

/** What signers need of LNbits, read from Postgres. Stands in until `sources/` reads it. */
export type Accounts = Pick<Source, 'account' | 'signer' | 'operators'>;

export function accountsIn(db: Queryable, queries: Omit<SourceQueries, 'documentTypes'>): Accounts {
  const statements = statementsOf({ ...queries, documentTypes: [] }, queries.schema);
  return {
    async account(operatorUserId) {
      const [row] = await db.query<{ id: string; pubkey: string | null }>(
        `SELECT id::text AS id, pubkey::text AS pubkey FROM (${statements.account}) AS source LIMIT 1`,
        [operatorUserId],
      );
      return row;
    },
    async signer(operatorUserId) {
      const [row] = await db.query<{
        signerType: string | null;
        signerConfig: string | null;
        prvkey: string | null;
      }>(
        `SELECT signer_type::text AS "signerType", signer_config::text AS "signerConfig", prvkey::text AS prvkey
           FROM (${statements.signer}) AS source LIMIT 1`,
        [operatorUserId],
      );
      return row;
    },
    async operators({ after, limit }) {
      const rows = await db.query<{ id: string }>(
        `SELECT DISTINCT id::text COLLATE "C" AS id FROM (${statements.operators}) AS source
          WHERE $1::text IS NULL OR id::text COLLATE "C" > $1::text ORDER BY 1 LIMIT $2`,
        [after ?? null, limit],
      );
      return rows.map(({ id }) => id);
    },
  };
}
