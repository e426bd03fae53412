import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Client } from 'pg';
import { startBunker } from '../../dev/bunker';
import { seedOperator } from '../../dev/seed';
import { startWorkerProcess } from '../../embedded/worker-process';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { republish } from '../support/command-line';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

const RIGHTS = readFileSync(path.resolve(__dirname, '../../database/rights.sql'), 'utf8');

describe('a worker with the rights of database/rights.sql and no others', () => {
  let saga: Saga;
  let workerUrl: string;
  let pairingUrl: string;

  /** A login with the rights of a role and none of its own; its URL. */
  async function loginAs(role: string): Promise<string> {
    const name = `login_${randomBytes(6).toString('hex')}`;
    const password = randomBytes(12).toString('hex');
    await saga.database.query(`CREATE ROLE ${name} LOGIN PASSWORD '${password}' IN ROLE ${role}`);
    saga.onStop(() => saga.database.query(`DROP ROLE ${name}`));
    const url = new URL(saga.databaseUrl);
    url.username = name;
    url.password = password;
    return url.href;
  }

  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    // As on a cluster whose databases are not open to everybody.
    await saga.database.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    await saga.database.query('ALTER TABLE accounts ADD COLUMN password_hash text');
    await saga.database.query(RIGHTS);
    await saga.database.query(RIGHTS); // again after each release
    workerUrl = await loginAs('republish_worker');
    pairingUrl = await loginAs('republish_pairing');
    const worker = await startWorkerProcess({ ...saga.env, DATABASE_URL: workerUrl });
    saga.onStop(() => worker.stop('SIGTERM', 35_000));
  });
  afterAll(() => saga.stop());

  test('runs the whole saga: publish, find in place, fail, audit', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 3 });
    const first = await runUnderFault(saga, operator);
    expect(first.ids).toHaveLength(6);
    expect((await runUnderFault(saga, operator)).ids).toEqual(first.ids);

    operator.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
    const { audit } = await runUnderFault(saga, operator, { input: { force: true } });
    expect(audit.outcome).toBe('incomplete');
    expect(audit.failures).toHaveLength(6);
  });

  test('follows a bunker to other relays', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const relays = saga.relays.map(({ url }) => url);
    operator.bunker.setFaults(({ method }) =>
      method === 'switch_relays' ? { result: JSON.stringify(relays) } : undefined,
    );
    expect((await runUnderFault(saga, operator)).ids).toHaveLength(2);
    await until(async () => {
      const [row] = await saga.database.query<{ relays: string[] }>(
        'SELECT bunker_relays AS relays FROM republish.signers WHERE operator_user_id = $1',
        [operator.id],
      );
      return row?.relays.length === 2;
    });
  });

  test.each([
    ['write LNbits’ tables', 'UPDATE public.accounts SET pubkey = NULL'],
    ['delete machines', 'DELETE FROM public.dca_machines'],
    ['read what else is in accounts', 'SELECT password_hash FROM public.accounts'],
    ['change the audit', "UPDATE republish.audit_log SET outcome = 'complete'"],
    ['delete documents', 'DELETE FROM republish.documents'],
    ['replace a signer', "UPDATE republish.signers SET ncryptsec = 'x'"],
    ['read pairings', 'SELECT * FROM republish.pairings'],
    ['create tables', 'CREATE TABLE public.mine (id int)'],
    ['create tables beside the ledger', 'CREATE TABLE republish.mine (id int)'],
    ['switch the append-only trigger off', 'ALTER TABLE republish.audit_log DISABLE TRIGGER ALL'],
  ])('may not %s', async (_, statement) => {
    const client = new Client({ connectionString: workerUrl });
    await client.connect();
    try {
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.end();
    }
  });

  test('pairing and reading the audit need only the rights of republish_pairing', async () => {
    const env = { ...saga.env, DATABASE_URL: pairingUrl };
    const bunker = await startBunker({ relays: [saga.relays[0]?.url ?? ''] });
    saga.onStop(() => bunker.stop());
    const id = `op-${randomBytes(4).toString('hex')}`;
    const machines = await seedOperator(saga.database, { id, pubkey: bunker.userPubkey, machines: 1 });
    expect((await republish(['signer', 'add', id, '--bunker'], env, bunker.uri())).code).toBe(0);
    expect((await republish(['signer', 'check', id], env)).code).toBe(0);
    expect((await runUnderFault(saga, { id, machines, bunker })).ids).toHaveLength(2);
    expect((await republish(['audit', id, '--json'], env)).code).toBe(0);
    expect((await republish(['signer', 'remove', id], env)).code).toBe(0);
    const client = new Client({ connectionString: pairingUrl });
    await client.connect();
    await expect(client.query('INSERT INTO republish.runs VALUES ($1)', ['x'])).rejects.toMatchObject({
      code: '42501',
    });
    await client.end();
  });
});
