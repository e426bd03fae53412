import { Client } from 'pg';
import { appendAudit } from '../../database/audit';
import type { Database, Writable } from '../../database/connection';
import { sealDocument } from '../../database/ledger/facts';
import { openRun } from '../../database/ledger/runs';
import { migrate } from '../../database/migrate';
import { republish } from '../support/command-line';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { emptyAudit, plannedRun, sealedEvent } from '../support/ledger';
import { ALL_RIGHTS, setUpDatabase, type SetUpDatabase } from '../support/roles';
import { startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';
import { openSource } from '../../sources/open';
import type { ConfiguredQuery } from '../../sources/queries';

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of cleanUp.splice(0).reverse()) await stop();
});

async function database(options: Parameters<typeof setUpDatabase>[0] = {}): Promise<SetUpDatabase> {
  const made = await setUpDatabase(options);
  cleanUp.push(() => made.stop());
  return made;
}

const EMOJI = 'moved to the bunker 🚀 — “done”';
const RELAY = 'wss://relay.example/…';

/**
 * What a run writes that may have any character: why it was asked for, and a relay whose path is not shown.
 */
async function auditWithEmoji(db: Database): Promise<unknown> {
  const run = { runId: 'r', workflowId: 'w', operatorPubkey: 'a'.repeat(64), documentTypes: [] };
  await openRun(db, { ...run, request: { operatorUserId: 'op', reason: EMOJI } });
  const laggard = { documentType: 't', machineId: 'm', relay: RELAY, state: 'unreachable' as const };
  await db.transaction((client) =>
    appendAudit(client, emptyAudit({ runId: 'r', reason: EMOJI, laggards: [laggard] })),
  );
  return (await db.query('SELECT reason, laggards FROM republish.audit_log'))[0];
}

describe('the encoding of the ledger’s database', () => {
  test('62: LATIN1 cannot store a reason with an emoji or a relay with a path: nothing is begun there, and it is said by name', async () => {
    const { admin, url, name } = await database({ encoding: 'LATIN1' });
    await expect(migrate(admin)).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      message: expect.stringContaining(`database ${name} has the encoding LATIN1`) as string,
      remedy: expect.stringContaining("ENCODING 'UTF8' TEMPLATE template0") as string,
    });
    expect(await admin.query("SELECT to_regnamespace('republish') AS schema")).toEqual([{ schema: null }]);
    const migrated = await republish(['migrate'], { DATABASE_URL: url });
    expect(migrated.code).toBe(5);
    expect(migrated.stderr).toContain('LATIN1');
    const { stdout } = await republish(['doctor'], {
      DATABASE_URL: url,
      TEMPORAL_ADDRESS: testServers().temporalAddress,
      REPUBLISH_SECRETS_KEY: 'ab'.repeat(32),
    });
    const told = stdout.replaceAll(/\s+/g, ' ');
    expect(told).toContain(`FAIL database Postgres: database ${name} has the encoding LATIN1`);
    // No `republish migrate` for a schema that cannot be there.
    expect(told).toContain('? signer all: not looked at: first repair database Postgres');
    // A later write is refused for good, and is not retried for a day.
    await expect(admin.query('SELECT $1::text', [EMOJI])).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      message: expect.stringContaining('its encoding is not UTF8') as string,
    });
  });

  test.each(['UTF8', 'SQL_ASCII'])('62: %s stores both', async (encoding) => {
    const { admin } = await database({ encoding });
    await migrate(admin);
    expect(await auditWithEmoji(admin)).toMatchObject({ reason: EMOJI, laggards: [{ relay: RELAY }] });
  });
});

describe('63: default_transaction_isolation = repeatable read', () => {
  const settings = ["default_transaction_isolation = 'repeatable read'"];

  test('63: four migrate at once, all with success', async () => {
    const { url, open } = await database({ settings });
    const reports = await Promise.all(Array.from({ length: 4 }, () => migrate(open(url, 1))));
    expect(reports.filter(({ applied }) => applied.length > 0)).toHaveLength(1);
  });

  test('63: two runs do not seal an address in the same second', async () => {
    const { url, open } = await database({ template: 'template_lnbits', settings });
    const [one, other] = [open(url), open(url)];
    const machine = [{ atmPubkey: 'b'.repeat(64) }];
    const runs = [await plannedRun(one, machine), await plannedRun(other, machine)];
    const event = () => ({ event: sealedEvent(), stateFingerprint: 'f', signature: null });
    const seal = (db: Database, index: number) =>
      db.transaction(async (client) => {
        // Both have begun, and would have their snapshot, before either seals.
        await client.query('SELECT 1 FROM republish.runs');
        await both();
        return sealDocument(client, runs[index] as (typeof runs)[0], event());
      });
    const both = meeting(2);
    const seals = await Promise.all([seal(one, 0), seal(other, 1)]);
    expect(seals.filter((sealed) => sealed?.event !== null && sealed !== undefined)).toHaveLength(1);
  });

  test('63: nor does who seals in another isolation', async () => {
    const { url } = await database({ template: 'template_lnbits', settings });
    const client = new Client({ connectionString: url });
    await client.connect();
    cleanUp.push(() => client.end());
    const writable: Writable = {
      mayWrite: true,
      query: async (text, values) => (await client.query(text, values)).rows,
    };
    const run = await plannedRun(writable);
    await expect(
      sealDocument(writable, run, {
        event: sealedEvent(),
        stateFingerprint: 'f',
        signature: null,
      }),
    ).rejects.toThrow('a document is sealed in READ COMMITTED, not in repeatable read');
  });
});

/** Each caller waits until this number of callers have come. */
function meeting(size: number): () => Promise<void> {
  let arrived = 0;
  let open: () => void = () => undefined;
  const all = new Promise<void>((resolve) => (open = resolve));
  return () => {
    arrived += 1;
    if (arrived === size) open();
    return all;
  };
}

describe('a role that an administrator has made', () => {
  test('63: the schema made for it is enough: no right to create schemas is needed', async () => {
    const { admin, name, role, open } = await database();
    const app = await role();
    await admin.query(`REVOKE CREATE, TEMPORARY ON DATABASE ${name} FROM PUBLIC`);
    const mine = open(app.url);
    await expect(migrate(mine)).rejects.toMatchObject({
      type: 'DatabaseMisconfigured',
      message: expect.stringContaining('may not create the schema republish') as string,
      remedy: expect.stringContaining(`CREATE SCHEMA republish AUTHORIZATION ${app.name}`) as string,
    });
    // To use it is not to create in it.
    for (const made of ['CREATE SCHEMA republish', `GRANT USAGE ON SCHEMA republish TO ${app.name}`]) {
      await admin.query(made);
      await expect(migrate(mine)).rejects.toMatchObject({
        remedy: expect.stringContaining(`GRANT USAGE, CREATE ON SCHEMA republish TO ${app.name}`) as string,
      });
    }
    await admin.query(`ALTER SCHEMA republish OWNER TO ${app.name}`);
    expect(await migrate(mine)).toMatchObject({ applied: ['0001_ledger.sql'], database: name });
  });

  test('63: with two connections a run completes and the doctor looks at everything; with none left both say what is', async () => {
    const two = await (await database()).role('CONNECTION LIMIT 2');
    const saga = await startSaga();
    cleanUp.push(
      () => saga.stop(),
      () => saga.database.query(`DROP OWNED BY ${two.name}`),
    );
    await saga.database.query(ALL_RIGHTS(two.name));
    await saga.database.query(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database()); END $$`,
    );
    const url = new URL(saga.databaseUrl);
    url.username = two.name;
    url.password = 'secret';
    const operator = await addOperatorWithCanaries(saga, { machines: 8 });
    const env = { ...saga.env, DATABASE_URL: url.href, REPUBLISH_DOCUMENT_TIMEOUT_MS: '30000' };
    const worker = await saga.startWorker({ env });
    const { ids, failure } = await runUnderFault(saga, operator, {});
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(16);
    // The server counts a connection until its process has ended, which is after the client has closed it.
    const untilAllFree = (): Promise<void> =>
      until(async () => {
        const places = 'SELECT FROM pg_stat_activity WHERE usename = $1';
        return (await saga.database.query(places, [two.name])).length === 0;
      });
    await worker.stop();
    await untilAllFree();
    const well = await republish(['doctor', '--json'], env);
    const ofDatabases = (
      JSON.parse(well.stdout) as { area: string; status: string; message: string }[]
    ).filter(({ area }) => ['database', 'lnbits', 'signer', 'secrets key', 'clock'].includes(area));
    // Postgres runs on this machine and has the same clock. So the doctor cannot compare clocks.
    expect(ofDatabases.filter(({ status }) => !['ok', 'unknown'].includes(status))).toEqual([]);
    expect(ofDatabases.length).toBeGreaterThan(6);
    await untilAllFree();
    const hogs = [new Client({ connectionString: url.href }), new Client({ connectionString: url.href })];
    for (const hog of hogs) {
      await hog.connect();
      cleanUp.push(() => hog.end());
    }
    const full = await republish(['doctor'], env);
    expect(full.stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /FAIL database Postgres: Postgres gives no further connection \(53300\).*ALTER ROLE ... CONNECTION LIMIT/,
    );
  }, 120_000);
});

test('63: numbers that were left behind by a switch-over have a name of their own, and migrate sets them right', async () => {
  const { admin, url } = await database({ template: 'template_lnbits' });
  const append = async (runId: string): Promise<void> => {
    await openRun(admin, { runId, workflowId: 'w', documentTypes: [], request: { operatorUserId: 'op' } });
    await admin.transaction((client) => appendAudit(client, emptyAudit({ runId })));
  };
  await append('one');
  // As a subscriber of logical replication has it: the rows, and the sequence as it was made.
  await admin.query('ALTER TABLE republish.audit_log ALTER id RESTART');
  await expect(append('two')).rejects.toMatchObject({
    type: 'SequenceBehind',
    message: expect.stringContaining('republish.audit_log') as string,
  });
  await admin.query('ALTER TABLE republish.audit_log ALTER id RESTART');
  const before = await republish(['doctor'], {
    DATABASE_URL: url,
    TEMPORAL_ADDRESS: testServers().temporalAddress,
  });
  expect(before.stdout.replaceAll(/\s+/g, ' ')).toContain(
    'FAIL database sequences: the next numbers of republish.audit_log are taken',
  );
  const { stdout } = await republish(['migrate'], { DATABASE_URL: url });
  expect(stdout).toContain('republish.audit_log: its sequence was behind its rows');
  await append('two');
  expect((await migrate(admin)).renumbered).toEqual([]);
});

test('63: a URL without a database: migrate says where it wrote', async () => {
  const { role, admin } = await database();
  const app = await role('SUPERUSER');
  await admin.query(`CREATE DATABASE ${app.name}`);
  const bare = new URL(app.url);
  bare.pathname = '';
  try {
    const { stdout, stderr } = await republish(['migrate'], { DATABASE_URL: bare.href });
    expect(stderr).toBe('');
    expect(stdout).toContain(`in database ${app.name} is at version`);
  } finally {
    await admin.query(`DROP DATABASE ${app.name} WITH (FORCE)`);
  }
});

describe('what a database is set to', () => {
  const settings = [
    "TimeZone = 'Asia/Tokyo'",
    "DateStyle = 'SQL, DMY'",
    "IntervalStyle = 'iso_8601'",
    "bytea_output = 'escape'",
    'extra_float_digits = 0',
    "statement_timeout = '1h'",
  ];
  const sourceOf = (url: string, query: ConfiguredQuery) => {
    const source = openSource({
      url,
      preset: 'auto',
      // Nothing is of a preset.
      queries: {
        schema: 'public',
        documents: { t: query },
        documentTypes: [],
      },
    });
    cleanUp.push(() => source.close());
    return source;
  };

  test('63: does not change the texts of a state, nor the bound of a statement', async () => {
    const { url, admin, open } = await database({ settings });
    await admin.query(
      `CREATE TABLE times AS SELECT 'm'::text AS machine_id, timestamptz '2026-11-27 23:30:00+00' AS at,
              interval '1 day 2 hours' AS gap, bytea '\\x00ff' AS bytes, 0.1::float8 + 0.2::float8 AS sum`,
    );
    const sql =
      'SELECT at, at::text AS at_text, gap, gap::text AS gap_text, bytes, sum FROM times WHERE machine_id = $1';
    const rows = (await sourceOf(url, { sql }).states('t', ['m'], 1_000)).get('m');
    expect((rows as string[]).map((row) => JSON.parse(row) as unknown)).toEqual([
      {
        at: '2026-11-27T23:30:00+00:00',
        at_text: '2026-11-27 23:30:00+00',
        gap: '1 day 02:00:00',
        gap_text: '1 day 02:00:00',
        bytes: '\\x00ff',
        sum: 0.30000000000000004,
      },
    ]);
    const own = open(`${url}?options=${encodeURIComponent('-c search_path=a,b')}`, 1);
    expect(
      await own.query(
        "SELECT current_setting('search_path') AS path, current_setting('statement_timeout') AS bound",
      ),
    ).toEqual([{ path: 'a,b', bound: '30s' }]);
  });

  test('62: bytes that are no text, in a database that does not look, are refused by the machine that has them', async () => {
    const { url, admin } = await database({ encoding: 'SQL_ASCII' });
    await admin.query(
      `CREATE TABLE notes AS SELECT 'good'::text AS machine_id, 'é'::text AS note UNION ALL SELECT 'bad', E'\\xff'`,
    );
    const states = await sourceOf(url, { table: 'notes' }).states('t', ['good', 'bad'], 1_000);
    expect(states.get('good')).toEqual(['{"machine_id":"good","note":"é"}']);
    expect(states.get('bad')).toMatchObject({ type: 'SourceMisconfigured' });
  });
});
