import { type Database, openDatabase } from '../../database/connection';
import { startLedger, type TestLedger } from '../support/ledger';
import { until } from '../support/until';

let ledger: TestLedger;
let database: Database;

beforeAll(async () => {
  ledger = await startLedger();
  database = ledger.database;
});
afterAll(() => ledger.stop());

test('a missing table is final; the URL is in no message', async () => {
  await expect(database.query('SELECT * FROM no_such_table')).rejects.toMatchObject({
    type: 'DatabaseMisconfigured',
    message: expect.stringContaining('42P01') as string,
  });
});

test('an unreachable server is retried, and its URL is in no message', async () => {
  const nowhere = openDatabase({ url: 'postgres://user:canary-password@127.0.0.1:9/x' });
  const error: unknown = await nowhere.query('SELECT 1').catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ type: 'DatabaseUnavailable' });
  expect(String(error)).not.toContain('canary-password');
  await nowhere.close();
});

test('a deadlock is run again inside', async () => {
  await database.query('CREATE TABLE IF NOT EXISTS pair (id int PRIMARY KEY, n int)');
  await database.query('INSERT INTO pair VALUES (1, 0), (2, 0) ON CONFLICT DO NOTHING');
  let arrived = 0;
  const both = (first: number, second: number) =>
    database.transaction(async (client) => {
      await client.query('UPDATE pair SET n = n + 1 WHERE id = $1', [first]);
      arrived += 1;
      await until(() => arrived >= 2);
      await client.query('UPDATE pair SET n = n + 1 WHERE id = $1', [second]);
    });
  await Promise.all([both(1, 2), both(2, 1)]);
  expect(arrived).toBeGreaterThan(2);
  expect(await database.query('SELECT n FROM pair ORDER BY id')).toEqual([{ n: 2 }, { n: 2 }]);
});

test('terminated backends end no process, and the next statement works', async () => {
  let broken = 0;
  const pooled = openDatabase({ url: ledger.url, onIdleError: () => void (broken += 1) });
  const asked = Array.from({ length: 5 }, () =>
    pooled.query<{ pid: number }>('SELECT pg_backend_pid() AS pid FROM pg_sleep(0.01)'),
  );
  const pids = [...new Set((await Promise.all(asked)).flat().map(({ pid }) => pid))];
  await database.query('SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid', [pids]);
  await until(() => broken >= pids.length);
  expect(await pooled.query('SELECT 1 AS one')).toEqual([{ one: 1 }]);
  await pooled.close();
});
