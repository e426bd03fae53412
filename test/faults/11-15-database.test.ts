import { Client } from 'pg';
import { startPostgres } from '../../embedded/postgres';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { holdAfter } from '../support/gate';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';
import { startWorkerChild } from '../support/worker-child';

const SLOW_BUNKER = { answerDelayMs: 100, concurrency: 1 };
/** Where attempts are counted: a worker that a busy machine has paused must not count as lost. */
const NEVER_LOST = { REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000' };
/** `npm run test:faults` plays row 66: minutes. */
const OUTAGE_MS = Number(process.env.REPUBLISH_TEST_OUTAGE_MS ?? 6_000);

test(`11, 66: Postgres crashes in the middle and is away for ${OUTAGE_MS / 1_000} s: the run goes on and completes`, async () => {
  const postgres = await startPostgres();
  const saga = await startSaga({ postgresUrl: postgres.url });
  try {
    const operator = await addOperatorWithCanaries(saga, { machines: 4, bunker: SLOW_BUNKER });
    const env = { REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000', REPUBLISH_RETRY_INTERVAL_MS: '500' };
    const worker = await startWorkerChild(saga, { env });
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await until(async () => (await saga.ledger(run.runId)).some(({ signature }) => signature !== null));
        await postgres.pause('crash');
        await new Promise((resolve) => setTimeout(resolve, OUTAGE_MS));
        await postgres.resume();
      },
    });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(8);
    expect(worker.hasExited()).toBe(false);
  } finally {
    await saga.stop();
    await postgres.stop();
  }
}, 400_000);

test('15: no connection is left, neither in the pool nor on the server: waited for, nothing is signed twice', async () => {
  const postgres = await startPostgres();
  const saga = await startSaga({ postgresUrl: postgres.url });
  const hogs: Client[] = [];
  try {
    const operator = await addOperatorWithCanaries(saga, { machines: 16, bunker: SLOW_BUNKER });
    // To take every place takes a while: the documents wait for it.
    const held = holdAfter(operator.bunker, 4);
    const env = { REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000', REPUBLISH_BUNKER_TIMEOUT_MS: '60000' };
    const worker = await startWorkerChild(saga, { env });
    let refusal: unknown;
    let phase: string | undefined;
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await until(async () => (await saga.ledger(run.runId)).some(({ signature }) => signature !== null));
        // Every place on the server is taken, until the worker has none left.
        const takeAll = async (): Promise<void> => {
          refusal = undefined;
          while (refusal === undefined) {
            const hog = new Client({ connectionString: saga.databaseUrl });
            hog.on('error', () => undefined);
            refusal = await hog.connect().then(
              () => void hogs.push(hog),
              (error: unknown) => error,
            );
          }
        };
        await takeAll();
        await until(async () => {
          const terminated = await hogs[0]?.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'republish-operator-configs'",
          );
          await takeAll();
          return terminated?.rowCount === 0;
        }, 60_000);
        held.release();
        await new Promise((resolve) => setTimeout(resolve, 3_000));
        ({ phase } = await run.progress());
        await Promise.all(hogs.splice(0).map((hog) => hog.end()));
      },
    });
    expect(refusal).toMatchObject({ code: '53300' });
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(32);
    expect(phase).toBe('publishing');
    expect(worker.hasExited()).toBe(false);
  } finally {
    await Promise.all(hogs.map((hog) => hog.end()));
    await saga.stop();
    await postgres.stop();
  }
}, 150_000);

describe('Postgres misbehaves', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.database.query('CREATE SCHEMA faults');
  });
  afterAll(() => saga.stop());

  /**
   * Lets a statement fail with an SQLSTATE for its first `times`; sequences count past a rollback.
   *
   * @param trigger such as `BEFORE INSERT ON republish.audit_log FOR EACH ROW`
   * @returns how often it has failed, and the end of it
   */
  async function failing(trigger: string, sqlState: string, times: number) {
    const name = `f${Math.random().toString(36).slice(2)}`;
    const table = / ON (\S+)/.exec(trigger)?.[1] ?? '';
    await saga.database.query(`CREATE SEQUENCE faults.${name}`);
    await saga.database.query(
      `CREATE FUNCTION faults.${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF nextval('faults.${name}') <= ${times} THEN RAISE 'made to fail' USING ERRCODE = '${sqlState}'; END IF;
         RETURN NEW;
       END $$`,
    );
    const [timing, ...rest] = trigger.split(' EXECUTE ');
    await saga.database.query(
      `CREATE TRIGGER ${name} ${[timing, ...rest].join('')} EXECUTE FUNCTION faults.${name}()`,
    );
    return {
      passages: async () => {
        const [row] = await saga.database.query<{ n: string }>(
          `SELECT CASE WHEN is_called THEN last_value ELSE 0 END::text AS n FROM faults.${name}`,
        );
        return Number(row?.n);
      },
      end: () => saga.database.query(`DROP TRIGGER ${name} ON ${table}`),
    };
  }

  test('12: all connections terminated, three times: the worker lives and the run completes', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 6, bunker: SLOW_BUNKER });
    const worker = await startWorkerChild(saga, { env: { REPUBLISH_DOCUMENT_TIMEOUT_MS: '30000' } });
    const terminated: number[] = [];
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        for (const signed of [0, 4, 8]) {
          await until(
            async () =>
              (await saga.ledger(run.runId)).filter(({ signature }) => signature !== null).length > signed,
          );
          const rows = await saga.database.query<{ pid: number }>(
            `SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE datname = current_database() AND pid <> pg_backend_pid()`,
          );
          terminated.push(rows.length);
          // The test's own connections are among them: it asks on when they are gone.
          const pids = rows.map(({ pid }) => pid);
          const left = () =>
            saga.database
              .query('SELECT FROM pg_stat_activity WHERE pid = ANY ($1)', [pids])
              .catch(() => undefined);
          await until(async () => (await left())?.length === 0);
        }
      },
    });
    const lives = !worker.hasExited();
    await worker.stop('SIGKILL', 1_000);
    expect(terminated).toEqual([expect.any(Number), expect.any(Number), expect.any(Number)]);
    expect(Math.min(...terminated)).toBeGreaterThan(0);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(12);
    expect(lives).toBe(true);
  }, 90_000);

  test('13: read-only when the audit is to be written: what is published stays visible, and the audit follows', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const worker = await saga.startWorker();
    const fault = await failing('BEFORE INSERT ON republish.audit_log FOR EACH ROW', '25006', 1_000_000);
    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await until(async () => (await fault.passages()) >= 2);
        expect(await run.progress()).toMatchObject({ phase: 'writing audit', published: 4 });
        const rows = await saga.ledger(run.runId);
        expect(rows.map(({ outcome }) => outcome)).toEqual(Array(4).fill('published'));
        expect(await saga.audits(operator.id)).toEqual([]);
        await fault.end();
      },
    });
    await worker.stop();
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
  }, 90_000);

  test('14: serialization failures and deadlocks: the transaction is run again inside the attempt', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const worker = await saga.startWorker({ env: NEVER_LOST });
    const seals = await failing('BEFORE UPDATE OF event_id ON republish.documents FOR EACH ROW', '40001', 3);
    const audits = await failing('BEFORE INSERT ON republish.audit_log FOR EACH ROW', '40P01', 2);
    const { ids, failure, run } = await runUnderFault(saga, operator);
    const failed = [await seals.passages(), await audits.passages()];
    await Promise.all([seals.end(), audits.end(), worker.stop()]);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(failed).toEqual([7, 3]);
    expect(await saga.attempts(run.runId)).toEqual([1, 1]);
    // As words: the digits alone may stand in a time or an id.
    expect(saga.logs.filter((line) => /\b(40001|40P01)\b/.test(line))).toEqual([]);
  }, 60_000);

  test('15: disk full when the outcome is to be written: retried, no second signature for a sealed document', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const worker = await saga.startWorker();
    const fault = await failing('BEFORE UPDATE OF outcome ON republish.documents FOR EACH ROW', '53100', 3);
    const { ids, failure } = await runUnderFault(saga, operator);
    await Promise.all([fault.end(), worker.stop()]);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(operator.bunker.requests.filter(({ method }) => method === 'sign_event')).toHaveLength(4);
  }, 60_000);

  test('15: a query that is held up for seconds is waited for', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const worker = await saga.startWorker({ env: NEVER_LOST });
    const { ids, failure, run } = await runUnderFault(saga, operator, {
      during: async ({ runId }) => {
        await until(async () => (await saga.ledger(runId)).some(({ event }) => event !== null));
        await saga.database.transaction(async (client) => {
          await client.query('LOCK TABLE republish.documents IN EXCLUSIVE MODE');
          await new Promise((resolve) => setTimeout(resolve, 2_500));
        });
      },
    });
    await worker.stop();
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(operator.bunker.requests.filter(({ method }) => method === 'sign_event')).toHaveLength(4);
    expect(await saga.attempts(run.runId)).toEqual([1, 1]);
  }, 60_000);
});
