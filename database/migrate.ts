import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { RepublishError } from '../contract/failures';
import type { Database, Queryable, Writable } from './connection';
import { cannotStoreAll, renumber, serverFacts, STORES_ALL } from './server';

/** Any constant does, as long as it stays: all workers of all releases must ask for the same lock. */
const MIGRATION_LOCK = 46_30078;
/** A migration may write a large table anew. */
const MIGRATION_TIMEOUT_MS = 15 * 60_000;
/** Everybody else waits behind who waits for a table. */
const TABLE_LOCK_TIMEOUT_MS = 3_000;

export interface MigrationReport {
  /** File names applied by this call, in order. */
  applied: string[];
  /** Number of the newest migration the database has now. */
  version: number;
  /** Name of the database: a URL need not say it, and then it is that of the user. */
  database: string;
  /** Tables whose sequence was behind their rows, and is not any more. */
  renumbered: string[];
}

/**
 * Brings the schema `republish` up to this release. Safe to call from many workers at once: one applies, the
 * others wait on an advisory lock and find nothing left to do. All of it is one transaction, so a failure
 * leaves what was there.
 *
 * @param lockTimeoutMs how long to wait for another worker's migration; for a table that somebody holds three
 * seconds at most
 * @throws RepublishError DatabaseMisconfigured when the schema is newer than this release, when the database
 * cannot store what is written there, or when there is no schema and no right to create it;
 * DatabaseUnavailable when that time has passed.
 */
export async function migrate(database: Database, lockTimeoutMs = 25_000): Promise<MigrationReport> {
  const files = await migrationFiles();
  return database.transaction(async (client) => {
    const server = await serverFacts(client);
    if (!STORES_ALL.includes(server.encoding)) throw cannotStoreAll(server);
    await client.query(`SET LOCAL lock_timeout = ${lockTimeoutMs}`);
    await client.query('SELECT pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await createMigrationsTable(client);
    const done = await client.query<{ version: number }>(
      'SELECT version FROM republish.migrations ORDER BY version',
    );
    const newest = done.at(-1)?.version ?? 0;
    const known = files.at(-1)?.version ?? 0;
    if (newest > known) {
      throw new RepublishError(
        'DatabaseMisconfigured',
        `the database schema is at version ${newest}, this release knows ${known}: run a newer release of republish-operator-configs`,
      );
    }
    const applied: string[] = [];
    const toApply = files.filter(({ version }) => version > newest);
    if (toApply.length > 0)
      await client.query(`SET LOCAL lock_timeout = ${Math.min(lockTimeoutMs, TABLE_LOCK_TIMEOUT_MS)}`);
    for (const file of toApply) {
      await client.run(await readFile(file.path, 'utf8'), MIGRATION_TIMEOUT_MS);
      await client.query('INSERT INTO republish.migrations (version, name) VALUES ($1, $2)', [
        file.version,
        file.name,
      ]);
      applied.push(file.name);
    }
    return { applied, version: known, database: server.database, renumbered: await renumber(client) };
  });
}

/** The newest migration of the database (undefined: it has none) and of this release. Changes nothing. */
export async function schemaVersions(
  db: Queryable,
): Promise<{ database: number | undefined; release: number }> {
  const release = (await migrationFiles()).at(-1)?.version ?? 0;
  const [table] = await db.query<{ exists: boolean }>(`SELECT ${MIGRATIONS_TABLE_EXISTS} AS exists`);
  if (!table?.exists) return { database: undefined, release };
  const [row] = await db.query<{ version: number | null }>(
    'SELECT max(version) AS version FROM republish.migrations',
  );
  return { database: row?.version ?? undefined, release };
}

/** In the catalogue: asked by name, a schema that may not be used would be an error in place of an answer. */
const MIGRATIONS_TABLE_EXISTS =
  "EXISTS (SELECT FROM pg_class WHERE relname = 'migrations' AND relnamespace = to_regnamespace('republish'))";

/**
 * CREATE ... IF NOT EXISTS would demand the right to create even where an administrator has prepared
 * everything.
 */
async function createMigrationsTable(client: Writable): Promise<void> {
  const [found] = await client.query<Found>(
    `SELECT ${MIGRATIONS_TABLE_EXISTS} AS table, to_regnamespace('republish') IS NOT NULL AS schema,
            CASE WHEN to_regnamespace('republish') IS NULL THEN has_database_privilege(current_database(), 'CREATE')
                 ELSE has_schema_privilege('republish', 'USAGE') AND has_schema_privilege('republish', 'CREATE') END AS "mayCreate",
            quote_ident(current_user) AS "user", quote_ident(current_database()) AS database`,
  );
  if (found === undefined || found.table) return;
  if (!found.mayCreate) throw mayNotCreate(found);
  if (!found.schema) await client.query('CREATE SCHEMA republish');
  await client.query(
    'CREATE TABLE republish.migrations (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())',
  );
}

interface Found {
  table: boolean;
  schema: boolean;
  mayCreate: boolean;
  user: string;
  database: string;
}

function mayNotCreate({ schema, user, database }: Found): RepublishError {
  const remedy = schema
    ? `As the owner of the schema: GRANT USAGE, CREATE ON SCHEMA republish TO ${user};`
    : `As an administrator: CREATE SCHEMA republish AUTHORIZATION ${user}; or run republish migrate as a role that may.`;
  const lacks = schema ? 'may create nothing in its schema republish' : 'may not create the schema republish';
  return new RepublishError(
    'DatabaseMisconfigured',
    `${user} ${lacks} in database ${database}`,
    undefined,
    remedy,
  );
}

async function migrationFiles(): Promise<{ version: number; name: string; path: string }[]> {
  const directory = path.join(__dirname, 'migrations');
  const names = (await readdir(directory)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
  return names.map((name) => ({ version: Number(name.slice(0, 4)), name, path: path.join(directory, name) }));
}
