import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import {
  grantOf,
  nameOfRight,
  type Right,
  rightsOnLedger,
  type Role,
  ROLES,
} from '../../database/rights-list';
import { documentTypes } from '../../documents/registry';
import { auditReport } from '../../inspection/audit';
import { checkDatabase } from '../../inspection/doctor/database';
import { type Databases, openDatabases } from '../../inspection/doctor/databases';
import type { Finding } from '../../inspection/doctor/finding';
import { checkLedgerRights, checkLnbitsRights } from '../../inspection/doctor/rights';
import { checkSource } from '../../inspection/doctor/source';
import { planOperators, verifyOperators } from '../../inspection/fleet';
import { findOrphans } from '../../inspection/orphans';
import { planRepublish } from '../../inspection/plan';
import { verifyDocuments } from '../../inspection/verify';
import { rightsOnLnbits } from '../../sources/rights';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { ledgerText } from '../support/inspection';
import type { Saga, SagaOperator } from '../support/saga';
import { testServers } from '../support/servers';

/** Roles are the cluster's, and other files make them too: here they have names of their own. */
const suffix = randomBytes(6).toString('hex');
const roleOf = (role: string): string => `${role}_${suffix}`;
const sql = (file: string): string =>
  readFileSync(path.resolve(__dirname, '../../database', file), 'utf8').replaceAll(
    /republish_(worker|pairing|inspector|migrator|lnbits_reader|signer_reader)/g,
    roleOf('$1'),
  );
/** What the reader of signers has beside what every reader has. */
const SIGNER_COLUMNS = ['signer_type', 'signer_config', 'prvkey'];

/** The database as a login sees it, whose password is its name. */
function as(login: string, databaseUrl: string): string {
  const url = new URL(databaseUrl);
  url.username = login;
  url.password = login;
  return url.href;
}

let saga: Saga;
let operator: SagaOperator;
const urls = new Map<Role, string>();
const loginOf = (role: Role): string => `login_${roleOf(role)}`;
const configurationOf = (role: Role) => saga.configuration({ DATABASE_URL: urls.get(role) ?? '' });

beforeAll(async () => {
  saga = await startPatientSaga({ relays: 1 });
  operator = await saga.addOperator({ machines: 2 });
  const worker = await saga.startWorker();
  await (await saga.start(operator.id)).result();
  await worker.stop();
  // As on a cluster where nothing is open to everybody, neither functions.
  await saga.database.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
  await saga.database.query('REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA republish FROM PUBLIC');
  await saga.database.query('CREATE SCHEMA nostrclient; CREATE TABLE nostrclient.relays (url text)');
  const roles = [...ROLES, 'lnbits_reader', 'signer_reader'].map(roleOf).join(', ');
  await saga.database.query(sql('rights.sql'));
  await saga.database.query(sql('rights-lnbits.sql'));
  saga.onStop(() => saga.database.query(`DROP OWNED BY ${roles}; DROP ROLE ${roles}`));
  for (const role of ROLES) {
    const login = loginOf(role);
    await saga.database.query(`CREATE ROLE ${login} LOGIN PASSWORD '${login}' IN ROLE ${roleOf(role)}`);
    saga.onStop(() => saga.database.query(`DROP OWNED BY ${login}; DROP ROLE ${login}`));
    urls.set(role, as(login, saga.databaseUrl));
  }
});
afterAll(() => saga.stop());

/** As doctor opens them. */
async function opened<T>(
  configuration: ReturnType<typeof configurationOf>,
  look: (databases: Databases) => Promise<T>,
): Promise<T> {
  const databases = openDatabases(configuration, { documentTypes });
  try {
    return await look(databases);
  } finally {
    await databases.close();
  }
}

const notOk = (findings: Finding[]): Finding[] => findings.filter(({ status }) => status !== 'ok');
/** Each column by itself. */
const oneByOne = (rights: Right[]): Right[] =>
  rights.flatMap((right) => right.columns?.map((column) => ({ ...right, columns: [column] })) ?? [right]);

test.each(ROLES)('doctor finds nothing to object to in the rights of the role %s', async (role) => {
  const configuration = configurationOf(role);
  const found = await opened(configuration, ({ ledger }) => checkDatabase(ledger, role));
  expect(found.map(({ subject }) => subject)).toEqual(['Postgres', 'rights', 'schema republish']);
  expect(notOk(found)).toEqual([]);
  if (role !== 'migrator')
    expect(
      notOk(
        await opened(configuration, (databases) =>
          checkSource(() => ({ source: databases.source() }), configuration, documentTypes, operator.id),
        ),
      ),
    ).toEqual([]);
});

/** Takes each right away once: it is named, and the statement that is told gives it back. */
async function withoutEach(
  { rights, role, login }: { rights: Right[]; role: string; login: string },
  look: () => Promise<Finding[]>,
): Promise<void> {
  const database = new URL(saga.databaseUrl).pathname.slice(1);
  for (const right of oneByOne(rights)) {
    const grant = grantOf(right, role, '');
    await saga.database.query(grant.replace('GRANT', 'REVOKE').replace(/ TO (?=\S+$)/, ' FROM '));
    const [finding, ...others] = notOk(await look());
    const statement = grantOf(right, `"${login}"`, `"${database}"`);
    expect({ ...finding, others }).toMatchObject({
      status: right.optional ? 'warn' : 'fail',
      message: expect.stringMatching(
        new RegExp(`^user ${login} lacks ${nameOfRight(right).replace(/[()]/g, '\\$&')}(:|$)`),
      ),
      remedy: `As the owner: ${statement};`,
      others: [],
    });
    await saga.database.query(statement);
    expect(notOk(await look())).toEqual([]);
    await saga.database.query(statement.replace('GRANT', 'REVOKE').replace(' TO ', ' FROM '));
    await saga.database.query(grant);
  }
}

test.each(ROLES)('one right less for the role %s: that right by name, and its one GRANT', async (role) => {
  const database = openDatabase({ url: urls.get(role) ?? '', maxConnections: 1 });
  // The right to make the schema is needed only as long as there is none.
  const rights = rightsOnLedger(role).filter(({ on }) => on !== 'DATABASE');
  expect(rights.length).toBeGreaterThan(3);
  try {
    await withoutEach({ rights, role: roleOf(role), login: loginOf(role) }, () =>
      checkLedgerRights(database, role),
    );
  } finally {
    await database.close();
  }
});

test.each(['lnbits_reader', 'signer_reader'] as const)(
  'one right less for %s: that right by name, and its one GRANT',
  async (reader) => {
    // Both read the keys of the accounts, so that each must be the only one that may.
    const role: Role = reader === 'lnbits_reader' ? 'inspector' : 'pairing';
    const signers = reader === 'lnbits_reader' ? 'paired' : 'lnbits';
    const configuration = { ...configurationOf(role), signers } as const;
    const rights = rightsOnLnbits({ ...configuration.queries, documentTypes }, 'spirekeeper', [reader]);
    const own =
      reader === 'lnbits_reader'
        ? rights
        : rights.filter(({ on }) => on === 'TABLE').map((right) => ({ ...right, columns: SIGNER_COLUMNS }));
    if (reader === 'signer_reader') await saga.database.query(`GRANT ${roleOf(reader)} TO ${loginOf(role)}`);
    await withoutEach({ rights: own, role: roleOf(reader), login: loginOf(role) }, () =>
      opened(configuration, ({ source }) => checkLnbitsRights(source(), configuration)),
    );
  },
);

test('a login of no role: the role in place of twenty statements', async () => {
  const login = `login_${suffix}`;
  await saga.database.query(`CREATE ROLE ${login} LOGIN PASSWORD '${login}'`);
  const configuration = saga.configuration({ DATABASE_URL: as(login, saga.databaseUrl) });
  const found = await opened(configuration, ({ ledger }) => checkDatabase(ledger, 'inspector'));
  expect(notOk(found)).toEqual([
    expect.objectContaining({
      subject: 'rights',
      message: expect.stringContaining('USAGE on schema republish, SELECT on republish.migrations'),
      remedy: `As the owner: psql -f database/rights.sql, then: GRANT republish_inspector TO "${login}";`,
    }),
  ]);
  await saga.database.query(`DROP ROLE ${login}`);
});

test('one right that everything needs: the whole doctor has one FAIL for it, and did not look at what it hides', async () => {
  const schema = roleOf('worker');
  const fees = roleOf('lnbits_reader');
  const look = async () => {
    const env = { ...saga.env, DATABASE_URL: urls.get('worker') ?? '' };
    const { stdout } = await republish(['doctor', '--json'], env);
    const areas = ['database', 'lnbits', 'secrets key', 'signer', 'signers'];
    return notOk(JSON.parse(stdout) as Finding[]).filter(({ area }) => areas.includes(area));
  };
  const notLookedAt = { status: 'unknown', message: expect.stringContaining('not looked at') as string };
  expect(await look()).toEqual([]);
  for (const [statement, expected] of [
    [
      `USAGE ON SCHEMA republish`,
      [
        { area: 'database', subject: 'rights', status: 'fail' },
        { area: 'signer', subject: 'all', ...notLookedAt },
      ],
    ],
    [
      `SELECT ON spirekeeper.super_config`,
      [
        { area: 'lnbits', subject: 'rights', status: 'fail' },
        { area: 'lnbits', subject: 'queries.documents.bitspire-fees', ...notLookedAt },
      ],
    ],
  ] as const) {
    const roles = statement.startsWith('USAGE') ? schema : fees;
    await saga.database.query(`REVOKE ${statement} FROM ${roles}`);
    const found = await look();
    await saga.database.query(`GRANT ${statement} TO ${roles}`);
    expect(found).toMatchObject(expected);
    expect(found).toHaveLength(expected.length);
  }
  expect(await look()).toEqual([]);
});

test('before there is a schema, a migrator needs the right to make it, and migrates with that alone', async () => {
  const name = `migrator_${suffix}`;
  const url = await createDatabase(testServers().postgresUrl, name);
  const owner = openDatabase({ url, maxConnections: 1 });
  const env = { DATABASE_URL: as(loginOf('migrator'), url) };
  try {
    const { stdout } = await republish(['doctor', '--as', 'migrator', '--json'], env);
    const grant = `GRANT CREATE ON DATABASE "${name}" TO "${loginOf('migrator')}"`;
    expect(JSON.parse(stdout)).toContainEqual(
      expect.objectContaining({
        message: `user ${loginOf('migrator')} lacks CREATE on this database`,
        remedy: `As the owner: ${grant};`,
      }),
    );
    await owner.query(grant);
    expect((await republish(['migrate'], env)).code).toBe(0);
    expect(await republish(['doctor', '--as', 'migrator'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('0 FAIL'),
    });
  } finally {
    await owner.close();
    await dropDatabase(testServers().postgresUrl, name);
  }
});

describe('whoever cannot write the audit ends nothing', () => {
  test('an inspector is told which rights of a worker are missing', async () => {
    const ended = await republish(['end', operator.id, '--yes'], {
      ...saga.env,
      DATABASE_URL: urls.get('inspector') ?? '',
    });
    expect(ended).toMatchObject({ code: 5, stdout: '' });
    const said = ended.stderr.replace(/\s+/g, ' ');
    for (const part of ['closed_at) on republish.runs', 'INSERT on republish.audit_log', 'nothing was ended'])
      expect(said).toContain(part);
  });

  test('where no schema is, that is said', async () => {
    const name = `empty_${suffix}`;
    const url = await createDatabase(testServers().postgresUrl, name);
    try {
      const { code, stderr } = await republish(['end', operator.id, '--yes'], {
        ...saga.env,
        DATABASE_URL: url,
      });
      expect({ code, said: stderr.replace(/\s+/g, ' ') }).toMatchObject({
        code: 5,
        said: expect.stringContaining('nothing was ended: schema republish: is not there') as string,
      });
    } finally {
      await dropDatabase(testServers().postgresUrl, name);
    }
  });
});

describe('an inspector', () => {
  test('plans, verifies, looks for orphans, reads and checks audits, makes reports, calls the doctor, and writes nothing', async () => {
    const before = await ledgerText(saga);
    const configuration = configurationOf('inspector');
    const { id } = operator;
    const say = (): void => undefined;
    const plan = await planRepublish(configuration, { operatorUserId: id }, say);
    expect(plan.documents.map(({ action }) => action)).toEqual(Array(4).fill('unchanged'));
    expect(plan.problems).toEqual([]);
    expect(await planOperators(configuration, { operators: [id] }, say)).toMatchObject([{ go: true }]);
    const verified = { counts: { current: 4, missing: 0, unknown: 0 } };
    expect(await verifyDocuments(configuration, { operatorUserId: id })).toMatchObject(verified);
    expect(await verifyOperators(configuration, { operators: [id] })).toMatchObject([
      { verification: verified },
    ]);
    expect(await findOrphans(configuration, id, '1'.repeat(64))).toMatchObject({ complete: true });
    const database = openDatabase({ url: configuration.databaseUrl, maxConnections: 1 });
    expect((await auditReport(database, id, 10)).audits).toHaveLength(1);
    await database.close();
    const env = { ...saga.env, DATABASE_URL: configuration.databaseUrl };
    expect(await republish(['report', id, '--html', '-'], env)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('All 4 documents stand') as string,
    });
    expect(await republish(['audit', '--check', id], env)).toMatchObject({ code: 0 });
    const { stdout } = await republish(['doctor', '--as', 'inspector', '--operator', id, '--json'], env);
    // Whether a worker polls is another matter, and all servers of a test have the clock of this host.
    const others = ['temporal', 'clock'];
    const found = (JSON.parse(stdout) as Finding[]).filter(({ area }) => !others.includes(area));
    expect(found.length).toBeGreaterThan(10);
    expect(notOk(found)).toEqual([]);
    expect(await ledgerText(saga)).toBe(before);
  }, 180_000);

  test('may change nothing at all', async () => {
    const inspector: Database = openDatabase({ url: urls.get('inspector') ?? '', maxConnections: 1 });
    const tables = await saga.database.query<{ name: string; key: string }>(
      `SELECT relname::text AS name, attname::text AS key FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum = 2
        WHERE relnamespace = 'republish'::regnamespace AND relkind = 'r'`,
    );
    expect(tables.length).toBeGreaterThan(8);
    const statements = tables.flatMap(({ name, key }) => [
      `INSERT INTO republish.${name} DEFAULT VALUES`,
      `UPDATE republish.${name} SET ${key} = ${key}`,
      `DELETE FROM republish.${name}`,
      `TRUNCATE republish.${name}`,
    ]);
    try {
      for (const statement of [
        ...statements,
        "SELECT republish.seal_document('r', 't', 'm', '{}', 'f', NULL, NULL, NULL)",
        "SELECT republish.sign_document('r', 't', 'm', 'e', 's')",
        'SELECT * FROM republish.pairings',
        'CREATE TABLE republish.mine (id int)',
        'UPDATE public.accounts SET pubkey = NULL',
        'SELECT prvkey FROM public.accounts',
      ])
        await expect(inspector.query(statement)).rejects.toMatchObject({
          message: expect.stringContaining('42501'),
        });
    } finally {
      await inspector.close();
    }
  });
});
