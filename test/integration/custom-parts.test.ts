import { randomBytes, randomUUID } from 'node:crypto';
import { symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nip44 } from 'nostr-tools';
import { generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { type SeededMachine, seedOperator } from '../../dev/seed';
import { startWorkerProcess } from '../../embedded/worker-process';
import type { Finding } from '../../inspection/doctor/finding';
import type { RepublishPlan } from '../../inspection/plan';
import type { Verification } from '../../inspection/verify';
import { republish } from '../support/command-line';
import { type ExampleProject, exampleProject } from '../support/example';
import { type ExampleProcess, startExample } from '../support/example-process';
import { PATIENT } from '../support/patience';
import { type Saga, startSaga } from '../support/saga';
import { parseMetrics, total } from '../support/scrape';

const ROOT = path.resolve(__dirname, '../..');
const LISTENS = /listens at (http:\S+)/;

jest.setTimeout(120_000);

let saga: Saga;
let project: ExampleProject;

beforeEach(async () => {
  saga = await startSaga();
  Object.assign(saga.env, PATIENT);
  project = exampleProject();
});
afterEach(async () => {
  await saga.stop();
  project.remove();
});

/** Copies an example, and what the service beside it needs; the path of a file in it. */
function copied(folder: string): (file: string) => string {
  const configuration = project.copy(folder);
  const modules = path.join(path.dirname(configuration), '../node_modules');
  symlinkSync(path.join(ROOT, 'node_modules/nostr-tools'), path.join(modules, 'nostr-tools'), 'dir');
  return (file) => path.join(path.dirname(configuration), file);
}

async function started(file: string, env: Record<string, string>, ready: RegExp): Promise<ExampleProcess> {
  const running = await startExample(file, env, ready);
  saga.onStop(() => running.stop());
  return running;
}

/** What a machine reads, from the relay's own store; the event has to verify. */
function readBy({ atmPubkey, secretKey }: SeededMachine, documentType: string, author: string): string {
  const event = (saga.relays[0]?.events() ?? []).find(
    ({ tags, pubkey }) => pubkey === author && tags[0]?.[1] === `${documentType}:${atmPubkey}`,
  );
  if (event === undefined) throw new Error(`no ${documentType} for ${atmPubkey}`);
  expect(verifyEvent({ ...event })).toBe(true);
  return nip44.decrypt(event.content, nip44.getConversationKey(secretKey, author));
}

async function proofs(runId: string): Promise<string[]> {
  const rows = await saga.database.query<{ signer: string }>(
    'SELECT signer FROM republish.signer_proofs WHERE run_id = $1',
    [runId],
  );
  return rows.map(({ signer }) => signer);
}

describe('custom-signer/', () => {
  const secretKey = generateSecretKey();
  const pubkey = getPublicKey(secretKey);
  const id = `op-${randomUUID().slice(0, 8)}`;
  let machines: SeededMachine[];
  let file: (name: string) => string;
  let env: Record<string, string>;

  beforeEach(async () => {
    machines = await seedOperator(saga.database, { id, pubkey, machines: 2 });
    file = copied('custom-signer');
    writeFileSync(file('keys.json'), JSON.stringify({ [id]: Buffer.from(secretKey).toString('hex') }));
    const SIGNING_TOKEN = randomBytes(16).toString('hex');
    const service = await started(
      file('signing-service.mjs'),
      { SIGNING_TOKEN, SIGNING_KEYS: file('keys.json'), SIGNING_PORT: '0' },
      LISTENS,
    );
    const SIGNING_SERVICE_URL = LISTENS.exec(service.output())?.[1] ?? '';
    env = { ...saga.env, SIGNING_TOKEN, SIGNING_SERVICE_URL };
  });

  test('runWorker({ signers, onRunEnded }): a whole run is signed by the service', async () => {
    const monitored = { ...env, REPUBLISH_METRICS_ADDRESS: '127.0.0.1:0' };
    const worker = await started(file('worker.mjs'), monitored, /worker is polling/);

    const run = await saga.start(id);
    const events = await run.result();

    expect(events['bitspire-fees']).toHaveLength(2);
    expect(events['bitspire-cassettes']).toHaveLength(2);
    const [, address] = /"address":"([^"]+)"/.exec(worker.output()) ?? [];
    const samples = parseMetrics(await (await fetch(`http://${address}/metrics`)).text());
    const signed = { kind: 'signing-service', method: 'sign_event', result: 'answered' };
    expect(total(samples, 'republish_custom_signer_requests_total', signed)).toBe(4);
    const standing = saga.relays[0]?.events() ?? [];
    for (const eventId of Object.values(events).flat())
      expect(standing.find((event) => event.id === eventId)).toMatchObject({ pubkey });
    for (const machine of machines)
      expect(JSON.parse(readBy(machine, 'bitspire-cassettes', pubkey))).toHaveProperty('positions');
    expect(await proofs(run.runId)).toEqual([`signing-service ${pubkey}`]);
    expect(await saga.audits(id)).toMatchObject([{ outcome: 'complete', operatorPubkey: pubkey }]);
    expect(await worker.stop()).toBe(0);
    expect(worker.output()).toContain(`${id}: complete`);
    expect(worker.output()).not.toContain(Buffer.from(secretKey).toString('hex'));
  });

  test('signerProviders: the commands know it, and the kind is shown', async () => {
    const configured = { ...env, REPUBLISH_CONFIG: file('republish.config.json') };
    const json = async <T>(args: string[]): Promise<T> => {
      const { stdout, stderr } = await republish([...args, '--json'], configured);
      expect(stderr).toBe('');
      return JSON.parse(stdout) as T;
    };
    expect((await json<RepublishPlan>(['plan', id])).signer).toMatchObject({
      kind: 'signing-service',
      from: 'custom',
      pubkey,
      matchesAccount: true,
      answers: true,
    });
    expect(await json(['signer', 'check', id])).toMatchObject({
      kind: 'signing-service',
      matchesAccount: true,
    });
    expect(await json(['signer', 'list'])).toEqual([
      { operatorUserId: id, from: 'custom', kind: 'signing-service', pubkey },
    ]);
    const doctor = await json<Finding[]>(['doctor']);
    expect(doctor.find(({ area, subject }) => area === 'signer' && subject === id)).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('the signing-service signer answers'),
    });
  });

  test('a service that has the key of another account gets no document', async () => {
    writeFileSync(file('keys.json'), JSON.stringify({ [id]: 'ab'.repeat(32) }));
    const service = await started(
      file('signing-service.mjs'),
      { SIGNING_TOKEN: env.SIGNING_TOKEN ?? '', SIGNING_KEYS: file('keys.json'), SIGNING_PORT: '0' },
      LISTENS,
    );
    const SIGNING_SERVICE_URL = LISTENS.exec(service.output())?.[1] ?? '';
    await started(file('worker.mjs'), { ...env, SIGNING_SERVICE_URL }, /worker is polling/);

    const run = await saga.start(id);
    await expect(run.result()).rejects.toMatchObject({ type: 'SignerPubkeyMismatch' });
    expect(await proofs(run.runId)).toEqual([]);
    expect(saga.relays[0]?.events()).toEqual([]);
  });
});

describe('custom-source/', () => {
  const FEES = '{"schema_version":1,"cash_in_fee_fraction":0.050,"cash_out_fee_fraction":0.06}';

  test('source: the worker and every command read the API, and its numbers keep their digits', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 0 });
    // LNbits has none of them.
    await saga.database.query('DROP SCHEMA spirekeeper CASCADE');
    await saga.database.query('DROP TABLE accounts');
    const file = copied('custom-source');
    const machines = ['a', 'b', 'c'].map((letter): SeededMachine => {
      const secretKey = generateSecretKey();
      return { id: `m-${letter}`, name: `ATM ${letter}`, secretKey, atmPubkey: getPublicKey(secretKey) };
    });
    const fleet = {
      operators: { [id]: { pubkey: bunker.userPubkey } },
      machines: Object.fromEntries(
        machines.map(({ id: machineId, name, atmPubkey }, index) => [
          machineId,
          { operator: id, name, pubkey: atmPubkey, documents: index < 2 ? { 'bitspire-fees': FEES } : {} },
        ]),
      ),
    };
    writeFileSync(file('fleet.json'), JSON.stringify(fleet));
    const api = await started(
      file('fleet-api.mjs'),
      { FLEET_FILE: file('fleet.json'), FLEET_PORT: '0' },
      LISTENS,
    );
    const env = {
      ...saga.env,
      REPUBLISH_CONFIG: file('republish.config.json'),
      FLEET_API_URL: LISTENS.exec(api.output())?.[1] ?? '',
    };
    const worker = await startWorkerProcess(env);
    saga.onStop(() => worker.stop('SIGTERM', 35_000));

    const plan = await republish(['plan', id, '--json'], env);
    expect(JSON.parse(plan.stdout) as RepublishPlan).toMatchObject({
      counts: { publish: 2, skipped: 4, invalid: 0 },
      source: { kind: 'custom', where: expect.stringContaining('the fleet API at 127.0.0.1'), preset: null },
    });
    const run = await saga.start(id);
    const events = await run.result();

    expect(events['bitspire-fees']).toHaveLength(2);
    for (const machine of machines.slice(0, 2))
      expect(readBy(machine, 'bitspire-fees', bunker.userPubkey)).toBe(FEES);
    expect(await proofs(run.runId)).toHaveLength(1);
    const verified = await republish(['verify', id, '--json'], env);
    expect((JSON.parse(verified.stdout) as Verification).counts).toMatchObject({ current: 2, 'no state': 4 });
    const doctor = await republish(['doctor', '--operator', id], env);
    expect(doctor.stdout).toContain('the fleet API at 127.0.0.1');
    expect(doctor.stdout).toContain('0 FAIL');

    // From a script of its own: the functions of /inspection read the same configuration.
    const looked = await project.run('inspection.ts', [id], env);
    expect(looked.stderr).toBe('');
    expect(looked.stdout.split('\n').slice(0, 3)).toEqual([
      'to publish: 0, in the way: false',
      'machines find 2 documents, and miss 0',
      'last run: complete',
    ]);
  });
});
