import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { RepublishError } from '../contract/failures';
import type { Database, Queryable, Transaction, Writable } from './connection';
import { cannotStoreAll, renumber, serverFacts, STORES_ALL } from './server';

/** Any number, but never another one: all workers of all releases must ask for the same lock. */
const MIGRATION_LOCK = 46_30078;
/** A migration may rewrite a large table. */
const MIGRATION_TIMEOUT_MS = 15 * 60_000;
/** Short: every other statement on a table waits while a migration waits for the table's lock. */
const TABLE_LOCK_TIMEOUT_MS = 3_000;

export interface MigrationReport {
  /** Names of the files that this call applied, in order. */
  applied: string[];
  /** Number of the newest migration that the database has now. */
  version: number;
  /** Name of the database. A URL without a name leads to the database with the user's name. */
  database: string;
  /** Tables whose sequence was behind their rows. This call has corrected them. */
  renumbered: string[];
}

/**
 * Brings the schema `republish` up to this release. Many workers may call it at the same time: one applies
 * the migrations, the others wait for an advisory lock and then find nothing to do. It is one transaction:
 * after a failure the schema is as it was.
 *
 * @param lockTimeoutMs how long to wait for another worker's migration. The wait for the lock of a table is
 *   three seconds at most
 * @throws RepublishError DatabaseMisconfigured: the schema is newer than this release, the encoding of the
 *   database cannot store every character, or there is no schema and no right to create it
 * @throws RepublishError DatabaseUnavailable: the lock was not free in time
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
        `the database schema is at version ${newest}, this release knows ${known}: ` +
          'run a newer release of republish-operator-configs',
      );
    }
    const missing = files.filter(({ version }) => version > newest);
    if (missing.length > 0)
      await client.query(`SET LOCAL lock_timeout = ${Math.min(lockTimeoutMs, TABLE_LOCK_TIMEOUT_MS)}`);
    for (const file of missing) await apply(client, file);
    const applied = missing.map(({ name }) => name);
    return { applied, version: known, database: server.database, renumbered: await renumber(client) };
  });
}

async function apply(client: Transaction, file: MigrationFile): Promise<void> {
  await client.run(await readFile(file.path, 'utf8'), MIGRATION_TIMEOUT_MS);
  await client.query('INSERT INTO republish.migrations (version, name) VALUES ($1, $2)', [
    file.version,
    file.name,
  ]);
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

/** Asks the catalogue. `to_regclass` fails when the role has no right to use the schema. */
const MIGRATIONS_TABLE_EXISTS = `EXISTS (SELECT FROM pg_class
   WHERE relname = 'migrations' AND relnamespace = to_regnamespace('republish'))`;

/**
 * Creates the schema and the table `migrations` where they are missing. It asks first: CREATE ... IF NOT
 * EXISTS needs the right to create also where the table exists.
 */
async function createMigrationsTable(client: Writable): Promise<void> {
  const found = await schemaFacts(client);
  if (found === undefined || found.table) return;
  if (!found.mayCreate) throw mayNotCreate(found);
  if (!found.schema) await client.query('CREATE SCHEMA republish');
  await client.query(
    `CREATE TABLE republish.migrations
       (version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
  );
}

/** What is there, and what this role may create. */
interface SchemaFacts {
  /** The table `republish.migrations` exists. */
  table: boolean;
  /** The schema `republish` exists. */
  schema: boolean;
  mayCreate: boolean;
  /** Quoted, for a statement that a person can copy. */
  user: string;
  database: string;
}

async function schemaFacts(client: Queryable): Promise<SchemaFacts | undefined> {
  const [facts] = await client.query<SchemaFacts>(
    `SELECT ${MIGRATIONS_TABLE_EXISTS} AS table, to_regnamespace('republish') IS NOT NULL AS schema,
            CASE WHEN to_regnamespace('republish') IS NULL
                 THEN has_database_privilege(current_database(), 'CREATE')
                 ELSE has_schema_privilege('republish', 'USAGE')
                      AND has_schema_privilege('republish', 'CREATE') END AS "mayCreate",
            quote_ident(current_user) AS "user", quote_ident(current_database()) AS database`,
  );
  return facts;
}

function mayNotCreate({ schema, user, database }: SchemaFacts): RepublishError {
  const remedy = schema
    ? `As the owner of the schema: GRANT USAGE, CREATE ON SCHEMA republish TO ${user};`
    : `As an administrator: CREATE SCHEMA republish AUTHORIZATION ${user}; ` +
      'or run republish migrate as a role that may.';
  const lacks = schema ? 'may create nothing in its schema republish' : 'may not create the schema republish';
  return new RepublishError('DatabaseMisconfigured', `${user} ${lacks} in database ${database}`, { remedy });
}

interface MigrationFile {
  version: number;
  name: string;
  path: string;
}

async function migrationFiles(): Promise<MigrationFile[]> {
  const directory = path.join(__dirname, 'migrations');
  const names = (await readdir(directory)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort();
  return names.map((name) => ({ version: Number(name.slice(0, 4)), name, path: path.join(directory, name) }));
}
