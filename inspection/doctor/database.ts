import type { Configuration } from '../../configuration/schema';
import { type Database, openDatabase } from '../../database/connection';
import { schemaVersions } from '../../database/migrate';
import { rightsOnSchema } from '../../database/rights';
import { check, type Finding, findingsOf } from './finding';

const TIMEOUT_MS = 20_000;

/** Is Postgres there, is its schema this release's and may this user write to it? */
export async function checkDatabase(
  configuration: Configuration & { databaseUrl: string },
): Promise<Finding[]> {
  const database = openDatabase({ url: configuration.databaseUrl, maxConnections: 4 });
  try {
    const reached = await check('database', 'Postgres', TIMEOUT_MS, async () => {
      await database.query('SELECT 1');
      return [findingsOf('database', 'Postgres').ok('reachable')];
    });
    // Everything else would only say the same again.
    if (reached.some(({ status }) => status === 'fail')) return reached;
    const rest = await Promise.all([
      check('database', 'schema republish', TIMEOUT_MS, () => checkVersion(database)),
      check('database', 'rights', TIMEOUT_MS, () => checkRights(database)),
    ]);
    return [...reached, ...rest.flat()];
  } finally {
    await database.close();
  }
}

async function checkVersion(database: Database): Promise<Finding[]> {
  const { ok, fail } = findingsOf('database', 'schema republish');
  const versions = await schemaVersions(database);
  if (versions.database === undefined)
    return [fail('is not there', 'Create it: republish migrate (workers do it too, when they start).')];
  if (versions.database < versions.release) {
    return [
      fail(
        `is at version ${versions.database}, this release needs ${versions.release}`,
        'Bring it up to date: republish migrate (workers do it too, when they start).',
      ),
    ];
  }
  if (versions.database > versions.release) {
    return [
      fail(
        `is at version ${versions.database}, this release knows ${versions.release}`,
        'Run a newer release of republish-operator-configs: a newer one has been here already.',
      ),
    ];
  }
  return [ok(`is at version ${versions.database}, as this release needs it`)];
}

async function checkRights(database: Database): Promise<Finding[]> {
  const { user, missing, readOnly } = await rightsOnSchema(database);
  const { ok, fail } = findingsOf('database', 'rights');
  const found: Finding[] = [];
  if (readOnly) {
    found.push(
      fail(
        'Postgres takes no writes: it is a standby, or read-only for this user',
        'Let DATABASE_URL lead to the primary, or lift default_transaction_read_only.',
      ),
    );
  }
  if (missing.length > 0) {
    const quoted = `"${user.replaceAll('"', '""')}"`;
    found.push(
      fail(
        `user ${user} lacks ${missing.join(', ')}`,
        `As the owner: GRANT USAGE ON SCHEMA republish TO ${quoted}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA republish TO ${quoted};`,
      ),
    );
  }
  return found.length > 0 ? found : [ok('this user may write to the schema republish')];
}
