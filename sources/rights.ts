import type { Right } from '../database/rights-list';
import { MACHINES_TABLE } from './presets';
import { type ConfiguredQuery, type SourceQueries, tablesIn } from './queries';

/**
 * The roles of database/rights-lnbits.sql. All that reads LNbits needs the first; whoever has the second can
 * sign as every operator of the installation.
 */
export type Reader = 'lnbits_reader' | 'signer_reader';

/**
 * What each of them reads of `accounts`, which holds password hashes and in some installations private keys,
 * and no more. This and what follows is read by scripts/docs-rights.mjs, too.
 *
 * @public
 */
export const ACCOUNT_COLUMNS: Record<Reader, readonly string[]> = {
  lnbits_reader: ['id', 'pubkey'],
  signer_reader: ['id', 'pubkey', 'signer_type', 'signer_config', 'prvkey'],
};
/** LNbits' own schema, where no search path says otherwise. @public */
export const LNBITS_SCHEMA = 'public';
/** @public */
export const ACCOUNTS_TABLE = 'accounts';
/** The relays to which LNbits publishes, for `plan` and `doctor` to compare. @public */
export const RELAYS_TABLE = { schema: 'nostrclient', name: 'relays' } as const;

/**
 * What reading LNbits' Postgres needs with these queries. What SQL of one's own reads is not known, but for
 * the tables that it names in braces.
 *
 * @param extensionSchema undefined where no query needs one
 * @param readers which of the roles
 */
export function rightsOnLnbits(
  queries: SourceQueries,
  extensionSchema: string | undefined,
  readers: readonly Reader[],
): Right[] {
  const inExtension = (query: ConfiguredQuery): Right[] =>
    tablesIn(query).flatMap(({ name, schema = extensionSchema }) =>
      schema === undefined ? [] : [reads(schema, name)],
    );
  const ofAccounts = (query: ConfiguredQuery | undefined, columns: readonly string[]): Right[] =>
    query !== undefined && 'sql' in query
      ? []
      : [{ ...reads(query?.schema ?? LNBITS_SCHEMA, query?.table ?? ACCOUNTS_TABLE), columns }];
  const tables = [
    ...(readers.includes('lnbits_reader') ? ofAccounts(queries.account, ACCOUNT_COLUMNS.lnbits_reader) : []),
    ...(readers.includes('signer_reader') ? ofAccounts(queries.signer, ACCOUNT_COLUMNS.signer_reader) : []),
    ...(readers.includes('lnbits_reader')
      ? [
          ...inExtension(queries.machines ?? { table: MACHINES_TABLE }),
          ...queries.documentTypes.flatMap(({ type, source }) =>
            inExtension(
              Object.hasOwn(queries.documents, type) ? (queries.documents[type] ?? source) : source,
            ),
          ),
          { ...reads(RELAYS_TABLE.schema, RELAYS_TABLE.name), optional: true as const },
        ]
      : []),
  ];
  return withSchemas(once(tables));
}

function reads(schema: string, name: string): Right {
  return { privilege: 'SELECT', on: 'TABLE', schema, name };
}

function withSchemas(tables: readonly Right[]): Right[] {
  const schemas = tables.map(({ schema, optional }): Right => ({
    privilege: 'USAGE',
    on: 'SCHEMA',
    schema,
    ...(optional && { optional }),
  }));
  return [...once(schemas), ...tables];
}

/** Two document types may read the same table. */
function once(rights: readonly Right[]): Right[] {
  return [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()];
}
