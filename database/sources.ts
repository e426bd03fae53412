import { RepublishError } from '../contract/failures';
import { type Queryable, StatementError } from './connection';

/** Where one kind of row comes from: a table in the shape of the reference schema, or any SQL with `$1`. */
export type Source = { table: string; schema?: string | undefined } | { sql: string };

export interface AccountRow {
  id: string;
  pubkey: string | null;
}

export interface MachineRow {
  id: string;
  name: string;
  atm_pubkey: string | null;
}

/** The configured queries on tables that are not ours. They are only ever read. */
export interface Sources {
  account(db: Queryable, operatorUserId: string): Promise<AccountRow | undefined>;
  /** A page of machines in the order of their ids, starting after `after`. */
  machines(
    db: Queryable,
    page: {
      operatorUserId: string;
      after?: string | undefined;
      machineIds?: string[] | undefined;
      limit: number;
    },
  ): Promise<MachineRow[]>;
  /** A page of the operators of a fleet that has all of them, in the order of their ids. */
  operators(db: Queryable, page: { after?: string | undefined; limit: number }): Promise<string[]>;
  /**
   * The keys of the operator's machines that are written like one of these but for case and blanks, one for each machine, as
   * they are written.
   */
  atmPubkeys(db: Queryable, operatorUserId: string, spellings: string[]): Promise<string[]>;
  /**
   * The rows of a document type's state for a machine, as JSON objects with the column names as keys.
   * @throws RepublishError StateTooLarge when they have more than four times `maxBytes`
   */
  state(
    db: Queryable,
    documentType: string,
    machineId: string,
    maxBytes: number,
  ): Promise<Record<string, unknown>[]>;
  /**
   * The same for many machines in one statement, by machine id. Says nothing of a machine that has no rows, or too many or too
   * large ones, and nothing at all where only one machine at a time can be asked for: SQL of one's own, or ids that Postgres writes
   * otherwise than they were asked for. What it says nothing of is for `state` to judge.
   */
  states(
    db: Queryable,
    documentType: string,
    machineIds: readonly string[],
    maxBytes: number,
  ): Promise<Map<string, Record<string, unknown>[]>>;
}

export interface SourceOptions {
  account: Source;
  machines: Source;
  /** Default: the operators with a stored signer; for all others a run could only say that they have none. */
  operators?: Source | undefined;
  /** By document type. */
  documents: Record<string, Source>;
}

/** Rows of one machine's state; a query that forgot its condition would give the whole table. */
const MAX_ROWS = 1_000;

/**
 * Builds the queries once. `$1` is the operator id (account, machines), the machine id (documents) or, where a table is read for many
 * machines, their ids.
 */
export function createSources(options: SourceOptions): Sources {
  const account = sqlOf(options.account, (table) => `SELECT id, pubkey FROM ${table} WHERE id = $1`);
  const machines = sqlOf(
    options.machines,
    (table) => `SELECT id, name, atm_pubkey FROM ${table} WHERE operator_user_id = $1`,
  );
  const operators = sqlOf(
    options.operators ?? { sql: 'SELECT operator_user_id AS id FROM republish.signers' },
    (table) => `SELECT id FROM ${table}`,
  );

  return {
    async account(db, operatorUserId) {
      const rows = await named('queries.account', () =>
        db.query<AccountRow>(
          `SELECT source.id::text AS id, source.pubkey::text AS pubkey FROM (${account}) AS source LIMIT 1`,
          [operatorUserId],
        ),
      );
      return rows[0];
    },

    machines(db, { operatorUserId, after, machineIds, limit }) {
      // COLLATE "C": the order, and with it the cursor, must not depend on the locale of the server.
      return named('queries.machines', () =>
        db.query<MachineRow>(
          `SELECT source.id::text AS id, left(source.name::text, 200) AS name,
                left(source.atm_pubkey::text, 200) AS atm_pubkey
           FROM (${machines}) AS source
          WHERE ($2::text IS NULL OR source.id::text COLLATE "C" > $2::text)
            AND ($3::text[] IS NULL OR source.id::text = ANY ($3::text[]))
          ORDER BY source.id::text COLLATE "C"
          LIMIT $4`,
          [operatorUserId, after ?? null, machineIds ?? null, limit],
        ),
      );
    },

    async operators(db, { after, limit }) {
      const rows = await named('queries.operators', () =>
        db.query<{ id: string }>(
          `SELECT DISTINCT source.id::text COLLATE "C" AS id FROM (${operators}) AS source
            WHERE source.id IS NOT NULL AND ($1::text IS NULL OR source.id::text COLLATE "C" > $1::text)
            ORDER BY 1 LIMIT $2`,
          [after ?? null, limit],
        ),
      );
      return rows.map(({ id }) => id);
    },

    async atmPubkeys(db, operatorUserId, spellings) {
      const rows = await named('queries.machines', () =>
        db.query<{ atm_pubkey: string }>(
          `SELECT left(source.atm_pubkey::text, 200) AS atm_pubkey FROM (${machines}) AS source
            WHERE lower(regexp_replace(source.atm_pubkey::text, '\\s+', '', 'g')) = ANY ($2::text[])`,
          [operatorUserId, spellings],
        ),
      );
      return rows.map((row) => row.atm_pubkey);
    },

    async state(db, documentType, machineId, maxBytes) {
      const source = options.documents[documentType];
      if (source === undefined) {
        throw new RepublishError(
          'DatabaseMisconfigured',
          `no query is configured for the state of ${documentType}: add "queries.documents.${documentType}" to REPUBLISH_CONFIG`,
        );
      }
      const sql = sqlOf(source, (table) => `SELECT * FROM ${table} WHERE machine_id = $1`);
      // A table has no order of its own, and an update changes the one it shows: sorted, the same rows are the same
      // document. SQL of one's own keeps its ORDER BY.
      const order = 'sql' in source ? '' : ' ORDER BY row_to_json(source)::text COLLATE "C"';
      // row_to_json lets Postgres say how each type looks in JSON: numeric stays a number, a json column stays JSON.
      // The sum bounds what is fetched: a row of hundreds of megabytes must not reach this process to be refused here.
      const rows = await named(`queries.documents.${documentType}`, () =>
        db.query<{ row: string | null }>(
          `SELECT CASE WHEN sum(octet_length(row)) OVER () <= $2 THEN row END AS row
             FROM (SELECT row_to_json(source)::text AS row FROM (${sql}) AS source${order} LIMIT ${MAX_ROWS + 1}) AS rows`,
          [machineId, maxBytes * 4],
        ),
      );
      if (rows.length > MAX_ROWS)
        throw new RepublishError('StateTooLarge', `the state has more than ${MAX_ROWS} rows`);
      return rows.map(({ row }) => {
        if (row === null)
          throw new RepublishError(
            'StateTooLarge',
            `the rows of the state have more than ${maxBytes * 4} bytes`,
          );
        return JSON.parse(row) as Record<string, unknown>;
      });
    },

    async states(db, documentType, machineIds, maxBytes) {
      const source = options.documents[documentType];
      if (source === undefined || 'sql' in source) return new Map();
      const sql = sqlOf(source, (table) => `SELECT * FROM ${table} WHERE machine_id = ANY ($1)`);
      // In the order of `state`, so that the same rows are the same document.
      const rows = await named(`queries.documents.${documentType}`, () =>
        db.query<{ id: string; row: string | null }>(
          `SELECT id, CASE WHEN sum(octet_length(row)) OVER (PARTITION BY id) <= $2 THEN row END AS row
             FROM (SELECT source.machine_id::text AS id, row_to_json(source)::text AS row,
                          row_number() OVER (PARTITION BY source.machine_id) AS n
                     FROM (${sql}) AS source) AS rows
            WHERE n <= ${MAX_ROWS + 1} ORDER BY id, row COLLATE "C"`,
          [machineIds, maxBytes * 4],
        ),
      );
      const asked = new Set(machineIds);
      const states = new Map<string, Record<string, unknown>[]>();
      const unsaid = new Set<string>();
      for (const { id, row } of rows) {
        if (!asked.has(id)) return new Map();
        const state = states.get(id) ?? [];
        states.set(id, state);
        if (row === null || state.length === MAX_ROWS) unsaid.add(id);
        else state.push(JSON.parse(row) as Record<string, unknown>);
      }
      for (const id of unsaid) states.delete(id);
      return states;
    },
  };
}

/** Says which of the configured queries was refused. */
async function named<T>(query: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    const message = `${query}: ${thrown.message}`;
    throw thrown instanceof StatementError
      ? new StatementError(thrown.type, message, thrown.sqlState)
      : new RepublishError(thrown.type, message);
  }
}

function sqlOf(source: Source, select: (table: string) => string): string {
  // A trailing semicolon is how people paste SQL; inside a subquery it is a syntax error.
  if ('sql' in source) return source.sql.trim().replace(/;$/, '');
  const table = quote(source.table);
  return select(source.schema === undefined ? table : `${quote(source.schema)}.${table}`);
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`;
}
