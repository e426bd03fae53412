import { readFileSync } from 'node:fs';
import path from 'node:path';
import { nip44 } from 'nostr-tools';
import { startWorkerProcess } from '../../embedded/worker-process';
import type { RepublishPlan } from '../../inspection/plan';
import type { Verification } from '../../inspection/verify';
import { republish } from '../support/command-line';
import { type ExampleProject, exampleProject } from '../support/example';
import { startPatientSaga } from '../support/fleet';
import type { Saga, SagaOperator } from '../support/saga';

const EXAMPLES = path.resolve(__dirname, '../../examples');
const sql = (file: string): string => readFileSync(path.join(EXAMPLES, file), 'utf8');

jest.setTimeout(120_000);

let saga: Saga;
let project: ExampleProject;

beforeEach(async () => {
  saga = await startPatientSaga();
  project = exampleProject();
});
afterEach(async () => {
  await saga.stop();
  project.remove();
});

/** What the machines of an operator read under a document type, in machine order. */
function documentsOf({ bunker, machines }: SagaOperator, type: string): unknown[] {
  const events = saga.relays[0]?.events() ?? [];
  return machines.map(({ atmPubkey, secretKey }) => {
    const event = events.find(
      ({ tags, pubkey }) => tags[0]?.[1] === `${type}:${atmPubkey}` && pubkey === bunker.userPubkey,
    );
    if (event === undefined) throw new Error(`no ${type} for ${atmPubkey}`);
    return JSON.parse(nip44.decrypt(event.content, nip44.getConversationKey(secretKey, bunker.userPubkey)));
  });
}

test('migration.ts: one call for each operator; one that fails does not keep the others from their documents', async () => {
  await saga.startWorker();
  const [good, failing] = [await saga.addOperator({ machines: 2 }), await saga.addOperator({ machines: 1 })];
  failing.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));

  const ended = await project.run('migration.ts', [failing.id, good.id], saga.env);

  expect(ended.stdout).toBe(`${good.id}: 4 documents stand\n`);
  expect(ended.stderr).toContain(`${failing.id}: RepublishIncomplete: 2 documents could not be republished`);
  expect(ended.code).toBe(3);
  expect(documentsOf(good, 'bitspire-fees')).toHaveLength(2);
  expect(await saga.audits(good.id)).toMatchObject([{ reason: 'accounts moved to bunkers' }]);
});

test('custom-document-type/: a module that the configuration names is known to the worker and to every command', async () => {
  await saga.database.query(sql('custom-document-type/table.sql'));
  const operator = await saga.addOperator({ machines: 2 });
  await saga.database.query(
    "INSERT INTO spirekeeper.operator_hours SELECT $1, 'Europe/Vienna', day, '08:00', '20:00' FROM generate_series(2, 1, -1) AS day",
    [operator.machines[0]?.id],
  );
  const env = { ...saga.env, REPUBLISH_CONFIG: project.copy('custom-document-type') };
  const worker = await startWorkerProcess(env);
  saga.onStop(() => worker.stop('SIGTERM', 35_000));

  const plan = await republish(['plan', operator.id, '--document-type', 'operator-hours', '--json'], env);
  const { documents } = JSON.parse(plan.stdout) as RepublishPlan;
  expect(documents.map(({ action, because }) => [action, because])).toEqual([
    ['publish', expect.any(String)],
    ['skipped', 'keeps no hours'],
  ]);
  const events = await (await saga.start(operator.id)).result();

  expect(Object.keys(events)).toEqual(['bitspire-cassettes', 'bitspire-fees', 'operator-hours']);
  expect(events['operator-hours']).toHaveLength(1);
  expect(documentsOf({ ...operator, machines: operator.machines.slice(0, 1) }, 'operator-hours')).toEqual([
    {
      timezone: 'Europe/Vienna',
      days: [
        { day: 1, opens: '08:00', closes: '20:00' },
        { day: 2, opens: '08:00', closes: '20:00' },
      ],
    },
  ]);
  const verified = await republish(['verify', operator.id, '--json'], env);
  expect(verified.code).toBe(0);
  expect((JSON.parse(verified.stdout) as Verification).counts).toMatchObject({ current: 5, 'no state': 1 });
  // Without the module, what the run has published is named and not passed over.
  const unaware = await republish(['verify', operator.id, '--json'], saga.env);
  expect(unaware.code).not.toBe(0);
  expect((JSON.parse(unaware.stdout) as Verification).unknownTypes).toEqual(['operator-hours']);
});

test('another-schema/: REPUBLISH_CONFIG alone leads to tables that look different', async () => {
  await saga.database.query(sql('another-schema/schema.sql'));
  const operator = await saga.addOperator({ machines: 2 });
  await saga.database.query(`
    INSERT INTO satmachine.users SELECT id, pubkey FROM accounts;
    INSERT INTO satmachine.atms
      SELECT row_number() OVER (ORDER BY id), operator_user_id, name, machine_npub FROM spirekeeper.dca_machines;
    INSERT INTO satmachine.atms SELECT 3, user_id, 'in its box', NULL FROM satmachine.users;
    INSERT INTO satmachine.fee_documents SELECT id, '{"schema_version": 1, "cash_in_fee_fraction": 0.05,
      "cash_out_fee_fraction": 0.06, "promotion": {"until": "2027-01-01"}}' FROM satmachine.atms;
    INSERT INTO satmachine.cash_slots SELECT id, 1, 20, 70 + id FROM satmachine.atms;
    DROP SCHEMA spirekeeper CASCADE;
    DROP TABLE accounts;
  `);
  await saga.startWorker({
    env: { REPUBLISH_CONFIG: path.join(EXAMPLES, 'another-schema/republish.config.json') },
  });

  const run = await saga.start(operator.id);
  const events = await run.result();

  expect(events['bitspire-fees']).toHaveLength(2);
  expect(documentsOf(operator, 'bitspire-fees')[0]).toEqual({
    schema_version: 1,
    cash_in_fee_fraction: 0.05,
    cash_out_fee_fraction: 0.06,
    promotion: { until: '2027-01-01' },
  });
  expect(documentsOf(operator, 'bitspire-cassettes')).toEqual([
    { positions: { '1': { denomination: 20, count: 71 } } },
    { positions: { '1': { denomination: 20, count: 72 } } },
  ]);
  expect(await run.progress()).toMatchObject({ published: 4, skipped: 2 });
});
