import type { Right } from '../database/rights-list';
import { MACHINES_TABLE } from './presets';
import { type ConfiguredQuery, type SourceQueries, tablesIn } from './queries';

/**
 * The roles of database/rights-lnbits.sql. Every reader of LNbits needs `lnbits_reader`. A login with
 * `signer_reader` can sign as every operator of the installation.
 */
export type Reader = 'lnbits_reader' | 'signer_reader';

/**
 * The columns of `accounts` that each role reads, and no others: the table has password hashes, and in some
 * installations private keys. scripts/docs-rights.mjs reads this constant and those below.
 *
 * @public
 */
export const ACCOUNT_COLUMNS: Record<Reader, readonly string[]> = {
  lnbits_reader: ['id', 'pubkey'],
  signer_reader: ['id', 'pubkey', 'signer_type', 'signer_config', 'prvkey'],
};
/** LNbits' own schema, without another search path. @public */
export const LNBITS_SCHEMA = 'public';
/** @public */
export const ACCOUNTS_TABLE = 'accounts';
/** The relays of LNbits. `plan` and `doctor` compare them with REPUBLISH_RELAYS. @public */
export const RELAYS_TABLE = { schema: 'nostrclient', name: 'relays' } as const;

/**
 * The rights that these queries need on LNbits' Postgres. Of configured SQL only the tables in braces are
 * known.
 *
 * @param extensionSchema the schema of the extension. Undefined: no query needs one
 * @param readers the roles whose rights are listed
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

/** Without duplicates: two document types may read the same table. */
function once(rights: readonly Right[]): Right[] {
  return [...new Map(rights.map((right) => [JSON.stringify(right), right])).values()];
}
