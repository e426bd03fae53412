import { RepublishError } from '../contract/failures';
import { sqlIdentifier } from '../database/identifier';
import type { StateSource } from '../documents/document-type';
import { MACHINES_TABLE } from './presets';

/**
 * Where the rows of one query come from: a table, or SQL with `$1`. The default schema of the table is the
 * preset's. `{name}` in SQL is replaced by the table of that name in the preset's schema.
 */
export type ConfiguredQuery = { table: string; schema?: string | undefined } | { sql: string };

/** `queries` of the configuration, and the document types that the source reads. */
export interface SourceQueries {
  schema?: string | undefined;
  account?: ConfiguredQuery | undefined;
  machines?: ConfiguredQuery | undefined;
  operators?: ConfiguredQuery | undefined;
  signer?: ConfiguredQuery | undefined;
  /** By document type. A query here replaces the `source` of that type. */
  documents: Readonly<Record<string, ConfiguredQuery>>;
  documentTypes: readonly { type: string; source: StateSource }[];
}

/**
 * SQL that reads the state of a document type. `many` returns the rows of all machines, with a column
 * `machine_id`, and has no parameters. `one` returns the rows of the machine whose id is `$1`.
 */
export type StateQuery = { many: string } | { one: string };

/** The queries as SQL for Postgres and SQLite. `$1` is the operator's id. Comments name the columns. */
export interface Statements {
  /** `id, pubkey` */
  account: string;
  /** `id, name, machine_npub` */
  machines: string;
  /** Where the machines come from, for messages: the table and the column that has the operator's id. */
  machinesFrom: string;
  /** `id`. It has no `$1`. */
  operators: string;
  /** `signer_type, signer_config, prvkey` */
  signer: string;
  /** The name of a document type's query in messages: its key in the configuration, or `source of <type>`. */
  nameOfState(documentType: string): string;
  /** @throws RepublishError SourceMisconfigured for a type without a source */
  state(documentType: string): StateQuery;
}

/** Whether a query needs the schema of the extension, so that a preset must be found. */
export function needsSchema(queries: SourceQueries): boolean {
  if (queries.schema !== undefined) return false;
  const inPreset = (query: ConfiguredQuery | undefined): boolean =>
    query === undefined || tablesIn(query).some(({ schema }) => schema === undefined);
  return (
    inPreset(queries.machines) ||
    queries.documentTypes.some(({ type, source }) => inPreset(configured(queries, type) ?? source))
  );
}

/** @param schema the schema of the extension. Undefined: no query needs one */
export function statementsOf(queries: SourceQueries, schema: string | undefined): Statements {
  const tableIn = (name: string, inSchema: string | undefined): string =>
    [...(inSchema === undefined ? [] : [inSchema]), name].map(sqlIdentifier).join('.');
  const sqlOf = (query: ConfiguredQuery, select: (table: string) => string): string =>
    'table' in query
      ? select(tableIn(query.table, query.schema ?? schema))
      : subquery(query.sql, (name) => tableIn(name, schema));
  // Accounts are in LNbits' own schema, so the default is no schema.
  const ofAccounts = (query: ConfiguredQuery | undefined, columns: string): string =>
    query !== undefined && 'sql' in query
      ? sqlOf(query, () => '')
      : `SELECT ${columns} FROM ${tableIn(query?.table ?? 'accounts', query?.schema)} WHERE id = $1`;
  const nameOf = (query: { table: string; schema?: string | undefined }): string =>
    [query.schema ?? schema ?? [], query.table].flat().join('.');
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
        ? `table ${nameOf(machinesQuery)}, operator_user_id`
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
          `no query is configured for the state of ${documentType}: ` +
            `add "queries.documents.${documentType}" to the configuration`,
        );
      }
      const sql = sqlOf(source, (table) => `SELECT * FROM ${table}`);
      return 'sql' in source && source.sql.includes('$1') ? { one: sql } : { many: sql };
    },
  };
}

/** SQL for use as a subquery: without the semicolon that people paste, and with tables for `{name}`. */
function subquery(sql: string, tableOf: (name: string) => string): string {
  return sql
    .trim()
    .replace(/;$/, '')
    .replaceAll(TEXT_OR_TABLE, (text: string, name: string | undefined) =>
      name === undefined ? text : tableOf(name),
    );
}

/** The tables that a query names. A table without a schema is in the preset's schema. */
export function tablesIn(query: ConfiguredQuery): { name: string; schema?: string }[] {
  if ('table' in query)
    return [{ name: query.table, ...(query.schema === undefined ? {} : { schema: query.schema }) }];
  return [...query.sql.matchAll(TEXT_OR_TABLE)].flatMap(([, name]) => (name === undefined ? [] : [{ name }]));
}

function configured({ documents }: SourceQueries, type: string): ConfiguredQuery | undefined {
  return Object.hasOwn(documents, type) ? documents[type] : undefined;
}

const TABLE = /\{([A-Za-z_][A-Za-z0-9_$]*)\}/;
/** A string literal of SQL, in which braces have no meaning, or `{name}`. */
const TEXT_OR_TABLE = new RegExp(`'(?:[^']|'')*'|${TABLE.source}`, 'g');
