import { RepublishError } from '../contract/failures';
import { quoteIdentifier } from '../database/identifiers';
import type { StateSource } from '../documents/document-type';
import { MACHINES_TABLE } from './presets';

/**
 * Where one kind of row comes from, as the configuration says it: a table, in the preset's schema unless it
 * names another, or SQL with `$1`. `{name}` in SQL stands for a table of the preset's schema.
 */
export type ConfiguredQuery = { table: string; schema?: string | undefined } | { sql: string };

/** `queries` of the configuration, and the types that are read. */
export interface SourceQueries {
  schema?: string | undefined;
  account?: ConfiguredQuery | undefined;
  machines?: ConfiguredQuery | undefined;
  operators?: ConfiguredQuery | undefined;
  signer?: ConfiguredQuery | undefined;
  /** By document type, in place of the type's own source. */
  documents: Readonly<Record<string, ConfiguredQuery>>;
  documentTypes: readonly { type: string; source: StateSource }[];
}

/**
 * How the state of a type is read. `many`: SQL without parameters that gives the rows of all machines with
 * their `machine_id`. `one`: SQL whose `$1` is the machine's id.
 */
export type StateQuery = { many: string } | { one: string };

/** The queries as SQL that is good for Postgres and SQLite. `$1` is the operator's id. */
export interface Statements {
  /** `id, pubkey` */
  account: string;
  /** `id, name, machine_npub` */
  machines: string;
  /** Where these are, in words that end with what the operator's id is compared with. */
  machinesFrom: string;
  /** `id`, without `$1` */
  operators: string;
  /** `signer_type, signer_config, prvkey` */
  signer: string;
  /** How the query of a type is called in messages: by its key in the configuration, or as the type's own. */
  nameOfState(documentType: string): string;
  /** @throws RepublishError SourceMisconfigured for a type without a source */
  state(documentType: string): StateQuery;
}

/** Whether a query is left that needs to know the extension's schema. */
export function needsSchema(queries: SourceQueries): boolean {
  if (queries.schema !== undefined) return false;
  const inPreset = (query: ConfiguredQuery | undefined): boolean =>
    query === undefined || tablesIn(query).some(({ schema }) => schema === undefined);
  return (
    inPreset(queries.machines) ||
    queries.documentTypes.some(({ type, source }) => inPreset(configured(queries, type) ?? source))
  );
}

/** @param schema of the extension; undefined where no query needs one */
export function statementsOf(queries: SourceQueries, schema: string | undefined): Statements {
  const tableIn = (name: string, inSchema: string | undefined): string =>
    inSchema === undefined ? quoteIdentifier(name) : `${quoteIdentifier(inSchema)}.${quoteIdentifier(name)}`;
  const sqlOf = (query: ConfiguredQuery, select: (table: string) => string): string =>
    'table' in query
      ? select(tableIn(query.table, query.schema ?? schema))
      : // A trailing semicolon is how people paste SQL; inside a subquery it is a syntax error.
        query.sql
          .trim()
          .replace(/;$/, '')
          .replaceAll(TEXT_OR_TABLE, (text: string, name: string | undefined) =>
            name === undefined ? text : tableIn(name, schema),
          );
  // LNbits keeps its accounts in its own schema, the extension its tables in another.
  const ofAccounts = (query: ConfiguredQuery | undefined, columns: string): string =>
    query !== undefined && 'sql' in query
      ? sqlOf(query, () => '')
      : `SELECT ${columns} FROM ${tableIn(query?.table ?? 'accounts', query?.schema)} WHERE id = $1`;
  const machinesTable: ConfiguredQuery = { table: MACHINES_TABLE };
  const machinesQuery = queries.machines ?? machinesTable;

  return {
    account: ofAccounts(queries.account, 'id, pubkey'),
    machines: sqlOf(
      machinesQuery,
      (table) => `SELECT id, name, machine_npub FROM ${table} WHERE operator_user_id = $1`,
    ),
    machinesFrom:
      'table' in machinesQuery
        ? `table ${[machinesQuery.schema ?? schema ?? [], machinesQuery.table].flat().join('.')}, operator_user_id`
        : 'the SQL of "queries.machines", $1',
    operators:
      queries.operators === undefined
        ? sqlOf(machinesTable, (table) => `SELECT operator_user_id AS id FROM ${table}`)
        : sqlOf(queries.operators, (table) => `SELECT id FROM ${table}`),
    signer: ofAccounts(queries.signer, 'signer_type, signer_config, prvkey'),
    nameOfState: (documentType) =>
      configured(queries, documentType) === undefined
        ? `source of ${documentType}`
        : `queries.documents.${documentType}`,
    state(documentType) {
      const source =
        configured(queries, documentType) ??
        queries.documentTypes.find(({ type }) => type === documentType)?.source;
      if (source === undefined) {
        throw new RepublishError(
          'SourceMisconfigured',
          `no query is configured for the state of ${documentType}: add "queries.documents.${documentType}" to the configuration`,
        );
      }
      const sql = sqlOf(source, (table) => `SELECT * FROM ${table}`);
      return 'sql' in source && source.sql.includes('$1') ? { one: sql } : { many: sql };
    },
  };
}

/** The tables that a query names; without a schema they are the preset's. */
export function tablesIn(query: ConfiguredQuery): { name: string; schema?: string }[] {
  if ('table' in query)
    return [{ name: query.table, ...(query.schema === undefined ? {} : { schema: query.schema }) }];
  return [...query.sql.matchAll(TEXT_OR_TABLE)].flatMap(([, name]) => (name === undefined ? [] : [{ name }]));
}

function configured({ documents }: SourceQueries, type: string): ConfiguredQuery | undefined {
  return Object.hasOwn(documents, type) ? documents[type] : undefined;
}

const TABLE = /\{([A-Za-z_][A-Za-z0-9_$]*)\}/;
/** A text of SQL, in which braces are braces, or a table. */
const TEXT_OR_TABLE = new RegExp(`'(?:[^']|'')*'|${TABLE.source}`, 'g');
