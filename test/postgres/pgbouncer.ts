import { openDatabase, type Database } from '../../database/connection';
import { migrate } from '../../database/migrate';
import { republish } from '../support/command-line';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type RunningPgbouncer, startPgbouncer } from '../support/pgbouncer';
import { setUpDatabase, type SetUpDatabase } from '../support/roles';
import { type Saga, startSaga } from '../support/saga';

const pgbouncer = process.env.REPUBLISH_TEST_PGBOUNCER ?? 'pgbouncer';

/** A way that each setting takes: refused at the start of a connection, or dropped without a word. */
const DEFAULTS: string[] = [];
/** So few that they change hands; in session mode whoever has one keeps it. */
const FEW = { session: [], transaction: ['default_pool_size = 2'] };
const IGNORING = ['ignore_startup_parameters = statement_timeout,options,extra_float_digits'];

describe.each([
  ['session', DEFAULTS],
  ['transaction', DEFAULTS],
  ['session', IGNORING],
  ['transaction', IGNORING],
] as const)('63: pgbouncer in %s mode, %p', (mode, settings) => {
  let made: SetUpDatabase;
  let bouncer: RunningPgbouncer;
  let through: Database;

  beforeAll(async () => {
    // What the pooler's own connections begin with must not be what holds.
    made = await setUpDatabase({
      settings: [
        "default_transaction_isolation = 'repeatable read'",
        "TimeZone = 'Asia/Tokyo'",
        'statement_timeout = 0',
      ],
    });
    bouncer = await startPgbouncer(pgbouncer, made.url, {
      mode,
      settings: [...settings, ...FEW[mode]],
    });
    through = openDatabase({ url: bouncer.url, maxConnections: 6 });
  });
  afterAll(async () => {
    await through.close();
    await bouncer.stop();
    await made.stop();
  });

  test('63: every command has a way in: migrate and doctor', async () => {
    const migrated = await republish(['migrate'], { DATABASE_URL: bouncer.url });
    expect(migrated).toMatchObject({ code: 0, stderr: '' });
    const { stdout } = await republish(['doctor'], { DATABASE_URL: bouncer.url });
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /ok database Postgres: reachable: Postgres [\d.]+, database people_/,
    );
    expect(stdout).toMatch(/ok +database rights/);
  });

  test('63: four migrate at once, through it, all with success', async () => {
    await made.admin.query('DROP SCHEMA IF EXISTS republish CASCADE');
    const reports = await Promise.all(Array.from({ length: 4 }, () => migrate(through)));
    expect(reports.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
  });

  test('63: the settings hold in each statement and transaction, whoever had the connection before', async () => {
    const settings = `SELECT current_setting('transaction_isolation') AS isolation, current_setting('statement_timeout') AS timeout,
                             now()::text ~ '\\+00$' AS utc, (0.1::float8 + 0.2::float8)::text AS digits`;
    const ours = { isolation: 'read committed', timeout: '30s', utc: true, digits: '0.30000000000000004' };
    const asked = Array.from({ length: 12 }, (_, index) =>
      index % 2 === 0 ? through.query(settings) : through.transaction((client) => client.query(settings)),
    );
    expect(new Set((await Promise.all(asked)).map(([row]) => JSON.stringify(row)))).toEqual(
      new Set([JSON.stringify(ours)]),
    );
    // And nothing of it is left in the connections that others get.
    const plain = openDatabase({ url: made.url, maxConnections: 1 });
    const [row] = await plain.query<{ value: string }>(
      "SELECT setting AS value FROM pg_db_role_setting, unnest(setconfig) AS setting WHERE setting LIKE 'statement_timeout%'",
    );
    await plain.close();
    expect(row?.value).toBe('statement_timeout=0');
  });

  test('63: a statement that takes too long is ended by the server, not only given up here', async () => {
    await expect(
      through.transaction(async (client) => {
        await client.query('SET LOCAL statement_timeout = 200');
        await client.query('SELECT pg_sleep(60)');
      }),
    ).rejects.toMatchObject({ message: expect.stringContaining('57014') as string });
    await expect(
      through.transaction((client) => client.run('SELECT pg_sleep(60)', 200)),
    ).rejects.toMatchObject({ message: expect.stringContaining('57014') as string });
    const running = await made.admin.query(
      "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
    );
    expect(running).toHaveLength(0);
  });

  test('63: "options" of one’s own, which it does not pass on, are named with what to do instead', async () => {
    if (settings.length > 0) return;
    const url = `${bouncer.url}?options=${encodeURIComponent('-c search_path=x')}`;
    const own = openDatabase({ url, maxConnections: 1 });
    await expect(own.query('SELECT 1')).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      remedy: expect.stringContaining('ALTER ROLE ... SET search_path') as string,
    });
    await own.close();
  });
});

test.each(['session', 'transaction'] as const)(
  '63: a run through pgbouncer with defaults, in %s mode',
  async (mode) => {
    const saga: Saga = await startSaga();
    const bouncer = await startPgbouncer(pgbouncer, saga.databaseUrl, { mode, settings: [] });
    try {
      const operator = await addOperatorWithCanaries(saga, { machines: 20 });
      await saga.startWorker({ env: { DATABASE_URL: bouncer.url, REPUBLISH_DOCUMENT_TIMEOUT_MS: '30000' } });
      const { ids, failure } = await runUnderFault(saga, operator, {});
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(40);
    } finally {
      await saga.stop();
      await bouncer.stop();
    }
  },
  120_000,
);
