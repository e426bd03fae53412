import type { Configuration } from '../../configuration/schema';
import { type Database, openDatabase } from '../../database/connection';
import { schemaVersions } from '../../database/migrate';
import type { Role } from '../../database/rights-list';
import { check, type Finding, findingsOf } from './finding';
import { checkLedgerRights } from './rights';

const TIMEOUT_MS = 20_000;

/** Is Postgres there, is its schema this release's and has this user the rights of the role? */
export async function checkDatabase(
  configuration: Configuration & { databaseUrl: string },
  role: Role,
): Promise<Finding[]> {
  const database = openDatabase({ url: configuration.databaseUrl, maxConnections: 4 });
  try {
    const reached = await check('database', 'Postgres', TIMEOUT_MS, async () => {
      await database.query('SELECT 1');
      return [findingsOf('database', 'Postgres').ok('reachable')];
    });
    // Everything else would only say the same again.
    if (reached.some(({ status }) => status === 'fail')) return reached;
    const rights = await check('database', 'rights', TIMEOUT_MS, () => checkLedgerRights(database, role));
    // Who may not look at the version: that is told already, with the right that it needs.
    const mayLook = rights.every(({ status }) => status !== 'fail');
    const version = await check('database', 'schema republish', TIMEOUT_MS, () =>
      checkVersion(database).catch((thrown: unknown) => {
        if (mayLook) throw thrown;
        return [];
      }),
    );
    return [...reached, ...rights, ...version];
  } finally {
    await database.close();
  }
}

async function checkVersion(database: Database): Promise<Finding[]> {
  const { ok, fail } = findingsOf('database', 'schema republish');
  const versions = await schemaVersions(database);
  if (versions.database === undefined)
    return [
      fail(
        'is not there',
        'Create it: republish migrate (workers do it too, when they start).',
        'DatabaseMisconfigured',
      ),
    ];
  if (versions.database < versions.release) {
    return [
      fail(
        `is at version ${versions.database}, this release needs ${versions.release}`,
        'Bring it up to date: republish migrate (workers do it too, when they start).',
        'DatabaseMisconfigured',
      ),
    ];
  }
  if (versions.database > versions.release) {
    return [
      fail(
        `is at version ${versions.database}, this release knows ${versions.release}`,
        'Run a newer release of republish-operator-configs: a newer one has been here already.',
        'DatabaseMisconfigured',
      ),
    ];
  }
  return [ok(`is at version ${versions.database}, as this release needs it`)];
}
