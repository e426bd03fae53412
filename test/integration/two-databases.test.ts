import { randomUUID } from 'node:crypto';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { seedOperator } from '../../dev/seed';
import { addLocalSigner } from '../../pairing/signers';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { createLnbitsDatabase, type LnbitsDatabase } from '../support/lnbits-database';
import type { Saga } from '../support/saga';

/** LNbits' database and the ledger are on two servers. On LNbits' the worker needs SELECT alone. */
describe('the ledger in a database of its own', () => {
  let saga: Saga;
  let lnbits: LnbitsDatabase;
  let readerUrl: string;
  const role = `reader_${randomUUID().slice(0, 8)}`;

  beforeAll(async () => {
    saga = await startPatientSaga();
    await saga.database.query('DROP SCHEMA spirekeeper CASCADE; DROP TABLE accounts');
    lnbits = await createLnbitsDatabase('template_lnbits');
    await lnbits.database.query(
      `DROP SCHEMA republish CASCADE;
       CREATE ROLE ${role} LOGIN PASSWORD 'canary-reader'; ALTER ROLE ${role} SET default_transaction_read_only = on;
       GRANT USAGE ON SCHEMA spirekeeper TO ${role};
       GRANT SELECT ON ALL TABLES IN SCHEMA public, spirekeeper TO ${role}`,
    );
    const url = new URL(lnbits.url);
    url.username = role;
    url.password = 'canary-reader';
    readerUrl = url.href;
  });
  afterAll(async () => {
    await saga.stop();
    await lnbits.database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    await lnbits.drop();
  });

  test('a run reads there and writes here; doctor, plan and verify too', async () => {
    const id = `op-${randomUUID().slice(0, 8)}`;
    const secretKey = generateSecretKey();
    const pubkey = getPublicKey(secretKey);
    await seedOperator(lnbits.database, { id, pubkey, machines: 2 });
    const env = { ...saga.env, LNBITS_DATABASE_URL: readerUrl };
    const configuration = saga.configuration({ LNBITS_DATABASE_URL: readerUrl });
    const secret = Buffer.from(secretKey).toString('hex');
    await addLocalSigner(
      { database: saga.database, configuration, operatorUserId: id, say: () => undefined },
      secret,
    );
    const worker = await saga.startWorker({ env: { LNBITS_DATABASE_URL: readerUrl } });

    const plan = await republish(['plan', id], env);
    expect(plan).toMatchObject({ code: 0, stdout: expect.stringContaining('4 to publish') });
    const run = await saga.start(id);
    expect(Object.values(await run.result()).flat()).toHaveLength(4);
    expect(await saga.ledger(run.runId)).toHaveLength(4);
    const stored = saga.relays[0]?.events().filter((event) => event.pubkey === pubkey) ?? [];
    expect(stored).toHaveLength(4);
    expect((await republish(['verify', id], env)).code).toBe(0);

    const doctor = await republish(['doctor', '--json'], env);
    const findings = JSON.parse(doctor.stdout) as { area: string; status: string; message: string }[];
    const ofLnbits = findings.filter(({ area }) => area === 'lnbits');
    expect(ofLnbits.filter(({ status }) => status === 'fail')).toEqual([]);
    const [{ message } = { message: '' }] = ofLnbits;
    expect(message).toContain(new URL(lnbits.url).pathname);
    expect(message).toContain('preset spirekeeper');
    expect(doctor.stdout + plan.stdout + saga.logs.join('\n')).not.toContain('canary-reader');
    await worker.stop();
  }, 120_000);

  test('when LNbits is away, it is LNbits that is named, and a run can go on later', async () => {
    const away = 'postgres://nobody:canary-away@127.0.0.1:9/lnbits';
    const { code, stderr } = await republish(['plan', 'anybody'], {
      ...saga.env,
      LNBITS_DATABASE_URL: away,
    });
    expect(code).toBe(5);
    expect(stderr).toContain('SourceUnavailable');
    expect(stderr).toContain('LNBITS_DATABASE_URL');
    expect(stderr).not.toContain('canary-away');
  }, 60_000);
});
