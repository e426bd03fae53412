import { isRetryable, RepublishError, scopeOf } from '../contract/failures';
import type { Queryable } from '../database/connection';
import { lookAtRights } from '../database/rights';
import { choosePreset, MACHINES_TABLE, PRESET_NAMES, PRESETS, type PresetName } from './presets';
import { needsSchema, type SourceQueries, type Statements, statementsOf } from './queries';
import { rightsOnLnbits } from './rights';
import { MAX_ROWS, namedQuery, rowsOrTooLarge, type RowText } from './rows';
import type { AccountRow, AccountSignerRow, MachineRow, Source, StateRows } from './source';

export interface PostgresSourceOptions {
  database: Queryable & { close(): Promise<void> };
  /** Host, port and database, for messages. */
  where: string;
  queries: SourceQueries;
  preset: PresetName | 'auto';
}

/** COLLATE "C" sorts by bytes: the order of the cursor must not depend on the locale of the server. */
const ID = 'source.id::text COLLATE "C"';
/**
 * A row as JSON text. Postgres keeps the digits of a numeric and the text of a json column. Rows are also
 * sorted by this text: a table has no order, so the same rows could otherwise become another document after
 * an update.
 */
const AS_JSON = 'row_to_json(source)::text';
/** The size in UTF-8. In a database with SQL_ASCII this fails for bytes that are not UTF-8. */
const BYTES = "octet_length(convert_to(row, 'UTF8'))";

/** LNbits on Postgres. LNbits has its tables in one schema, and each extension has another schema. */
export function openPostgresSource(options: PostgresSourceOptions): Source {
  const { database: db, queries } = options;
  const resolved = onceItSucceeds(() => resolve(options));
  const statements = async (): Promise<Statements> => (await resolved()).statements;

  return {
    async describe() {
      const { preset = 'queries', statements } = await resolved();
      const { machinesFrom } = statements;
      return { kind: 'postgres', where: options.where, preset, machinesFrom };
    },

    async account(operatorUserId) {
      const { account } = statementsOf(queries, queries.schema);
      const [row] = await namedQuery('queries.account', () =>
        db.query<AccountRow>(
          `SELECT source.id::text AS id, source.pubkey::text AS pubkey FROM (${account}) AS source LIMIT 1`,
          [operatorUserId],
        ),
      );
      return row;
    },

    async machines({ operatorUserId, after, machineIds, limit }) {
      const { machines } = await statements();
      return namedQuery('queries.machines', () =>
        db.query<MachineRow & Record<string, unknown>>(
          `SELECT source.id::text AS id, left(source.name::text, 200) AS name,
                  left(source.machine_npub::text, 200) AS "machineNpub"
             FROM (${machines}) AS source
            WHERE ($2::text IS NULL OR ${ID} > $2::text)
              AND ($3::text[] IS NULL OR source.id::text = ANY ($3::text[]))
            ORDER BY ${ID} LIMIT $4`,
          [operatorUserId, after ?? null, machineIds ?? null, limit],
        ),
      );
    },

    async operators({ after, limit }) {
      const { operators } = await statements();
      const rows = await namedQuery('queries.operators', () =>
        db.query<{ id: string }>(
          `SELECT DISTINCT ${ID} AS id FROM (${operators}) AS source
            WHERE source.id IS NOT NULL AND ($1::text IS NULL OR ${ID} > $1::text) ORDER BY 1 LIMIT $2`,
          [after ?? null, limit],
        ),
      );
      return rows.map(({ id }) => id);
    },

    async machineKeys(operatorUserId, spellings) {
      const { machines } = await statements();
      const rows = await namedQuery('queries.machines', () =>
        db.query<{ key: string }>(
          `SELECT left(source.machine_npub::text, 200) AS key FROM (${machines}) AS source
            WHERE lower(regexp_replace(source.machine_npub::text, '\\s+', '', 'g')) = ANY ($2::text[])`,
          [operatorUserId, spellings],
        ),
      );
      return rows.map(({ key }) => key);
    },

    async states(documentType, machineIds, maxBytes) {
      const { state: stateOf, nameOfState } = await statements();
      const state = stateOf(documentType);
      const name = nameOfState(documentType);
      const one = (id: string, sql: string): Promise<StateRows> =>
        namedQuery(name, () => rowsOfOne(db, sql, id, maxBytes));
      // SQL with $1 keeps its own ORDER BY.
      if ('one' in state) return oneByOne(machineIds, (id) => one(id, state.one));
      try {
        return await namedQuery(name, () => rowsOfMany(db, state.many, machineIds, maxBytes));
      } catch (thrown) {
        // Postgres may be unable to read a row of one machine. One statement for each machine finds it and
        // reads the others.
        if (!isRefusal(thrown) || machineIds.length === 1) throw thrown;
        const sql = `SELECT * FROM (${state.many}) AS source
          WHERE source.machine_id::text = $1 ORDER BY ${AS_JSON} COLLATE "C"`;
        return oneByOne(machineIds, (id) => one(id, sql));
      }
    },

    async signer(operatorUserId) {
      const { signer } = statementsOf(queries, queries.schema);
      const [row] = await namedQuery('queries.signer', () =>
        db.query<AccountSignerRow & Record<string, unknown>>(
          `SELECT source.signer_type::text AS "signerType", source.signer_config::text AS "signerConfig",
                  source.prvkey::text AS prvkey FROM (${signer}) AS source LIMIT 1`,
          [operatorUserId],
        ),
      );
      return row;
    },

    async nostrclientRelays() {
      try {
        // The extension publishes to every row with a url. It ignores the column `active`.
        const rows = await db.query<{ url: string }>(
          `SELECT DISTINCT url::text AS url FROM nostrclient.relays WHERE url <> '' ORDER BY 1`,
        );
        return rows.map(({ url }) => url);
      } catch (thrown) {
        // The extension is not installed, or this user may not read its table: there is nothing to compare.
        if (isRefusal(thrown)) return undefined;
        throw thrown;
      }
    },

    async rights(readers) {
      const { preset } = await resolved();
      const schema = preset === undefined ? queries.schema : PRESETS[preset].schema;
      return namedQuery('rights', () => lookAtRights(db, rightsOnLnbits(queries, schema, readers)));
    },

    close: () => db.close(),
  };
}

/** The states of many machines, in one statement. */
async function rowsOfMany(
  db: Queryable,
  sql: string,
  machineIds: readonly string[],
  maxBytes: number,
): Promise<Map<string, StateRows>> {
  // Postgres compares the sizes, so that a state of hundreds of megabytes does not reach this process.
  const rows = await db.query<RowText & { id: string }>(
    `SELECT id, CASE WHEN sum(${BYTES}) OVER (PARTITION BY id) <= $2 THEN row END AS row
       FROM (SELECT source.machine_id::text AS id, ${AS_JSON} AS row,
                    row_number() OVER (PARTITION BY source.machine_id::text) AS n
               FROM (${sql}) AS source WHERE source.machine_id::text = ANY ($1::text[])) AS rows
      WHERE n <= ${MAX_ROWS + 1} ORDER BY id, row COLLATE "C"`,
    [machineIds, maxBytes * 4],
  );
  const byMachine = new Map<string, RowText[]>(machineIds.map((id) => [id, []]));
  for (const row of rows) byMachine.get(row.id)?.push(row);
  return new Map([...byMachine].map(([id, texts]) => [id, rowsOrTooLarge(texts, maxBytes)]));
}

/** The state of one machine. Its id is `$1`. */
async function rowsOfOne(
  db: Queryable,
  sql: string,
  machineId: string,
  maxBytes: number,
): Promise<StateRows> {
  const rows = await db.query<RowText & Record<string, unknown>>(
    `SELECT CASE WHEN sum(${BYTES}) OVER () <= $2 THEN row END AS row
       FROM (SELECT ${AS_JSON} AS row FROM (${sql}) AS source LIMIT ${MAX_ROWS + 1}) AS rows`,
    [machineId, maxBytes * 4],
  );
  return rowsOrTooLarge(rows, maxBytes);
}

/** Other pages need connections of the same pool. */
const STATEMENTS_AT_A_TIME = 4;

/** One statement for each machine. A refusal of Postgres becomes the result of that machine. */
async function oneByOne(
  machineIds: readonly string[],
  read: (machineId: string) => Promise<StateRows>,
): Promise<Map<string, StateRows>> {
  const states = new Map<string, StateRows>();
  const left = machineIds.values();
  const takeFromLeft = async (): Promise<void> => {
    for (const id of left) {
      states.set(
        id,
        await read(id).catch((thrown: unknown) => {
          if (isRefusal(thrown)) return thrown;
          throw thrown;
        }),
      );
    }
  };
  await Promise.all(Array.from({ length: STATEMENTS_AT_A_TIME }, takeFromLeft));
  return states;
}

/** Postgres has refused this statement, and will refuse it again. */
function isRefusal(thrown: unknown): thrown is RepublishError {
  return thrown instanceof RepublishError && scopeOf(thrown.type) === 'database' && !isRetryable(thrown.type);
}

interface Resolved {
  preset: PresetName | undefined;
  statements: Statements;
}

async function resolve({ database, queries, preset, where }: PostgresSourceOptions): Promise<Resolved> {
  if (!needsSchema(queries)) return { preset: undefined, statements: statementsOf(queries, queries.schema) };
  const present = await namedQuery('preset', () =>
    database.query<{ schema: string }>(
      `SELECT n.nspname::text AS schema
         FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relname = $1 AND n.nspname = ANY ($2::text[])`,
      [MACHINES_TABLE, PRESET_NAMES.map((name) => PRESETS[name].schema)],
    ),
  );
  const schemas = present.map(({ schema }) => schema);
  const chosen = choosePreset(
    preset,
    PRESET_NAMES.filter((name) => schemas.includes(PRESETS[name].schema)),
    where,
  );
  return { preset: chosen, statements: statementsOf(queries, PRESETS[chosen].schema) };
}

/** Calls `make` once and keeps its result. After a failure the next caller tries again. */
function onceItSucceeds<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make().catch((thrown: unknown) => {
      made = undefined;
      throw thrown;
    });
    return made;
  };
}
