import type { ReadOnlyDatabase } from '../../database/connection';
import { schemaVersions } from '../../database/migrate';
import type { Role } from '../../database/rights-list';
import { cannotStoreAll, sequencesBehind, serverFacts, STORES_ALL } from '../../database/server';
import { check, type Finding, findingsOf } from './finding';
import { checkLedgerRights } from './rights';

const TIMEOUT_MS = 20_000;

/**
 * Checks that Postgres answers, can store every text, runs transactions with our settings, gives this user
 * the rights of the role, and has the schema of this release.
 */
export async function checkDatabase(open: () => ReadOnlyDatabase, role: Role): Promise<Finding[]> {
  let database: ReadOnlyDatabase | undefined;
  const reached = await check(
    { area: 'database', subject: 'Postgres', timeoutMs: TIMEOUT_MS, silence: 'DatabaseUnavailable' },
    async () => {
      database = open();
      return checkServer(database);
    },
  );
  // The other checks would report the same again, or check a ledger that cannot exist.
  if (database === undefined || reached.some(({ status }) => status === 'fail')) return reached;
  const ledger = database;
  const rights = await check(
    { area: 'database', subject: 'rights', timeoutMs: TIMEOUT_MS, silence: 'DatabaseUnavailable' },
    () => checkLedgerRights(ledger, role),
  );
  // Without the right to read the version, the missing right is already reported.
  const mayLook = rights.every(({ status }) => status !== 'fail');
  const version = await check(
    { area: 'database', subject: 'schema republish', timeoutMs: TIMEOUT_MS, silence: 'DatabaseUnavailable' },
    () =>
      checkVersion(ledger).catch((thrown: unknown) => {
        if (mayLook) throw thrown;
        return [];
      }),
  );
  const sequences = await check(
    { area: 'database', subject: 'sequences', timeoutMs: TIMEOUT_MS, silence: 'DatabaseUnavailable' },
    () => checkSequences(ledger),
  );
  return [...reached, ...rights, ...version, ...sequences];
}

/**
 * Reports server, database and user, and whether the database can store every text.
 *
 * @throws RepublishError when it cannot be asked
 */
async function checkServer(database: ReadOnlyDatabase): Promise<Finding[]> {
  const { ok, fail } = findingsOf('database', 'Postgres');
  const facts = await serverFacts(database);
  if (!STORES_ALL.includes(facts.encoding)) {
    const { message, remedy } = cannotStoreAll(facts);
    return [fail(message, { type: 'DatabaseMisconfigured', remedy })];
  }
  const wrong = await settingsNotKept(database);
  if (wrong.length > 0) {
    return [
      fail(`transactions do not run with the settings that they begin with: ${wrong.join(', ')}`, {
        type: 'DatabaseMisconfigured',
        remedy:
          'What stands between here and Postgres changes them: let DATABASE_URL lead to the server ' +
          'itself, or to pgbouncer.',
      }),
    ];
  }
  const { version, database: name, user, encoding } = facts;
  return [ok(`reachable: Postgres ${version}, database ${name} (${encoding}), user ${user}`)];
}

/** The seal depends on the isolation level, and every statement on the timeout. */
async function settingsNotKept(database: ReadOnlyDatabase): Promise<string[]> {
  const [settings = {}] = await database.transaction((client) =>
    client.query<Record<string, string>>(
      `SELECT current_setting('transaction_isolation') AS transaction_isolation,
              current_setting('statement_timeout') AS statement_timeout, current_setting('TimeZone') AS "TimeZone"`,
    ),
  );
  const needed = { transaction_isolation: 'read committed', statement_timeout: '30s', TimeZone: 'UTC' };
  return Object.entries(needed).flatMap(([name, value]) =>
    settings[name] === value ? [] : [`${name} is ${settings[name]}, not ${value}`],
  );
}

/**
 * Sequences can be behind the rows, for example after a switch-over to a logical replica. Reports nothing
 * when they are right.
 */
async function checkSequences(database: ReadOnlyDatabase): Promise<Finding[]> {
  const behind = await sequencesBehind(database);
  if (behind.length === 0) return [];
  const tables = behind.map(({ table }) => `republish.${table}`).join(', ');
  const { fail } = findingsOf('database', 'sequences');
  return [fail(`the next numbers of ${tables} are taken already`, 'SequenceBehind')];
}

async function checkVersion(database: ReadOnlyDatabase): Promise<Finding[]> {
  const { ok, fail } = findingsOf('database', 'schema republish');
  const versions = await schemaVersions(database);
  if (versions.database === undefined)
    return [
      fail('is not there', {
        type: 'DatabaseMisconfigured',
        remedy: 'Create it: republish migrate (workers do it too, when they start).',
      }),
    ];
  if (versions.database < versions.release) {
    return [
      fail(`is at version ${versions.database}, this release needs ${versions.release}`, {
        type: 'DatabaseMisconfigured',
        remedy: 'Bring it up to date: republish migrate (workers do it too, when they start).',
      }),
    ];
  }
  if (versions.database > versions.release) {
    return [
      fail(`is at version ${versions.database}, this release knows ${versions.release}`, {
        type: 'DatabaseMisconfigured',
        remedy: 'Run a newer release of republish-operator-configs: a newer one has been here already.',
      }),
    ];
  }
  return [ok(`is at version ${versions.database}, as this release needs it`)];
}
