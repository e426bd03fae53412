import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { Client } from 'pg';
import { openPostgresSource } from '../../sources/postgres';
import { createDatabase, dropDatabase } from '../../database/admin';
import { type Database, openDatabase } from '../../database/connection';
import { startBunker } from '../../dev/bunker';
import { seedOperator } from '../../dev/seed';
import { startWorkerProcess } from '../../embedded/worker-process';
import { OperatorSigners } from '../../nostr/signers/operator-signers';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { republish } from '../support/command-line';
import { PATIENT } from '../support/patience';
import { type Saga, startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

const sql = (file: string): string => readFileSync(path.resolve(__dirname, '../../database', file), 'utf8');
const RIGHTS = sql('rights.sql');
const RIGHTS_LNBITS = sql('rights-lnbits.sql');

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
    Object.assign(saga.env, PATIENT);
    // As on a cluster whose databases are not open to everybody.
    await saga.database.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    await saga.database.query('ALTER TABLE accounts ADD COLUMN password_hash text');
    await saga.database.query(RIGHTS);
    await saga.database.query(RIGHTS_LNBITS);
    // Again after each release.
    await saga.database.query(RIGHTS);
    await saga.database.query(RIGHTS_LNBITS);
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
    const { audit } = await runUnderFault(saga, operator, { input: { force: true, resetCounts: true } });
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
    ['delete machines', 'DELETE FROM spirekeeper.dca_machines'],
    ['read what else is in accounts', 'SELECT password_hash FROM public.accounts'],
    ['become one who reads signers', 'SET ROLE republish_signer_reader'],
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
    expect((await republish(['signer', 'check', id, '--deep'], env)).code).toBe(0);
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

/**
 * In this file, since roles are the cluster's: two files that make them at the same time would be in each
 * other's way.
 */
describe('reading LNbits, in a database of its own', () => {
  const name = `rights_${randomBytes(6).toString('hex')}`;
  const logins: string[] = [];
  let owner: Database;
  let ownerUrl: string;

  /** A login with these roles and nothing of its own. */
  async function loginAs(...roles: string[]): Promise<Database> {
    const login = `login_${randomBytes(6).toString('hex')}`;
    await owner.query(`CREATE ROLE ${login} LOGIN PASSWORD '${login}' IN ROLE ${roles.join(', ')}`);
    logins.push(login);
    const url = new URL(ownerUrl);
    url.username = login;
    url.password = login;
    return openDatabase({ url: url.href, maxConnections: 1 });
  }

  async function as<T>(roles: string[], work: (database: Database) => Promise<T>): Promise<T> {
    const database = await loginAs(...roles);
    try {
      return await work(database);
    } finally {
      await database.close();
    }
  }

  const READER = ['republish_lnbits_reader'];
  const SIGNER_READER = ['republish_signer_reader'];

  beforeAll(async () => {
    ownerUrl = await createDatabase(testServers().postgresUrl, name);
    owner = openDatabase({ url: ownerUrl });
    await owner.query('REVOKE ALL ON SCHEMA public FROM PUBLIC');
    await owner.query(
      `CREATE TABLE accounts (id text PRIMARY KEY, pubkey text, password_hash text, signer_type text, signer_config text, prvkey text)`,
    );
    for (const schema of ['spirekeeper', 'nostrclient']) await owner.query(`CREATE SCHEMA ${schema}`);
    for (const table of ['dca_machines', 'super_config', 'cassette_configs', 'dca_deposits'])
      await owner.query(`CREATE TABLE spirekeeper.${table} (id text)`);
    for (const table of ['relays', 'config'])
      await owner.query(`CREATE TABLE nostrclient.${table} (id text, url text)`);
    await owner.query(RIGHTS_LNBITS);
    await owner.query(RIGHTS_LNBITS);
  });
  afterAll(async () => {
    for (const login of logins) await owner.query(`DROP ROLE ${login}`);
    await owner.close();
    await dropDatabase(testServers().postgresUrl, name);
  });

  test.each([
    ['republish_lnbits_reader', 'SELECT id, pubkey FROM accounts'],
    ['republish_lnbits_reader', 'SELECT * FROM spirekeeper.dca_machines'],
    ['republish_lnbits_reader', 'SELECT * FROM spirekeeper.super_config'],
    ['republish_lnbits_reader', 'SELECT * FROM spirekeeper.cassette_configs'],
    ['republish_lnbits_reader', 'SELECT url FROM nostrclient.relays'],
    ['republish_signer_reader', 'SELECT id, pubkey, signer_type, signer_config, prvkey FROM accounts'],
  ])('%s may: %s', async (role, statement) => {
    expect(await as([role], (database) => database.query(statement))).toEqual([]);
  });

  test.each([
    ['republish_lnbits_reader', 'SELECT prvkey FROM accounts'],
    ['republish_lnbits_reader', 'SELECT signer_config FROM accounts'],
    ['republish_lnbits_reader', 'SELECT signer_type FROM accounts'],
    ['republish_lnbits_reader', 'SELECT password_hash FROM accounts'],
    ['republish_lnbits_reader', 'SELECT * FROM spirekeeper.dca_deposits'],
    ['republish_lnbits_reader', 'SELECT * FROM nostrclient.config'],
    ['republish_lnbits_reader', 'UPDATE accounts SET pubkey = NULL'],
    ['republish_lnbits_reader', 'DELETE FROM spirekeeper.dca_machines'],
    ['republish_lnbits_reader', 'CREATE TABLE public.mine (id int)'],
    ['republish_signer_reader', 'SELECT password_hash FROM accounts'],
    ['republish_signer_reader', 'UPDATE accounts SET prvkey = NULL'],
    ['republish_signer_reader', 'SELECT * FROM spirekeeper.dca_machines'],
  ])('%s may not: %s', async (role, statement) => {
    const refused = as([role], (database) => database.query(statement));
    await expect(refused).rejects.toMatchObject({ message: expect.stringContaining('42501') as string });
  });

  test('a login with both roles reads an account’s own signer, and one that only reads is refused', async () => {
    const secretKey = generateSecretKey();
    const pubkey = getPublicKey(secretKey);
    await owner.query('INSERT INTO accounts (id, pubkey, signer_type, prvkey) VALUES ($1, $2, $3, $4)', [
      'op',
      pubkey,
      'LocalSigner',
      Buffer.from(secretKey).toString('hex'),
    ]);
    const current = (database: Database): Promise<unknown> =>
      new OperatorSigners({
        signers: 'lnbits',
        bunkerRelays: [],
        accounts: openPostgresSource({
          database,
          where: 'test',
          preset: 'auto',
          queries: { documents: {}, documentTypes: [] },
        }),
      }).current({ operatorUserId: 'op', operatorPubkey: pubkey }, null);
    expect(await as([...READER, ...SIGNER_READER], current)).toMatchObject({ kind: 'lnbits-local', pubkey });
    await expect(as(READER, current)).rejects.toThrow();
  });

  test('an LNbits whose accounts have no signer columns gets the roles all the same', async () => {
    await owner.query('ALTER TABLE accounts DROP COLUMN signer_type, DROP COLUMN signer_config');
    await owner.query(RIGHTS_LNBITS);
    await as(SIGNER_READER, (database) => database.query('SELECT id, prvkey FROM accounts'));
  });
});
