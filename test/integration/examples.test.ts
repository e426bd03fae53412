import { readFileSync } from 'node:fs';
import path from 'node:path';
import { nip44 } from 'nostr-tools';
import { type ExampleProject, exampleProject } from '../support/example';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

const EXAMPLES = path.resolve(__dirname, '../../examples');
const sql = (file: string): string => readFileSync(path.join(EXAMPLES, file), 'utf8');

jest.setTimeout(120_000);

let saga: Saga;
let project: ExampleProject;

beforeEach(async () => {
  saga = await startSaga();
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

test('custom-document-type/: a worker of one’s own publishes one more type than the package knows', async () => {
  await saga.database.query(sql('custom-document-type/table.sql'));
  const operator = await saga.addOperator({ machines: 1 });
  await saga.database.query(
    "INSERT INTO operator_hours SELECT $1, 'Europe/Vienna', day, '08:00', '20:00' FROM generate_series(1, 2) AS day",
    [operator.machines[0]?.id],
  );
  const worker = await project.start('custom-document-type/worker.ts', saga.env, 'worker is polling');

  const events = await (await saga.start(operator.id)).result();

  expect(Object.keys(events)).toEqual(['bitspire-cassettes', 'bitspire-fees', 'operator-hours']);
  expect(documentsOf(operator, 'operator-hours')).toEqual([
    {
      timezone: 'Europe/Vienna',
      days: [
        { day: 1, opens: '08:00', closes: '20:00' },
        { day: 2, opens: '08:00', closes: '20:00' },
      ],
    },
  ]);
  expect((await worker.stop()).code).toBe(0);
});

test('another-schema/: REPUBLISH_CONFIG alone leads to tables that look different', async () => {
  await saga.database.query(sql('another-schema/schema.sql'));
  const operator = await saga.addOperator({ machines: 2 });
  await saga.database.query(`
    INSERT INTO satmachine.users SELECT id, pubkey FROM accounts;
    INSERT INTO satmachine.atms SELECT row_number() OVER (ORDER BY id), operator_user_id, name, atm_pubkey FROM dca_machines;
    INSERT INTO satmachine.fee_documents SELECT id, '{"cash_in_percent": 1.5, "cash_out_percent": 2, "fixed_fee": 0,
      "minimum_amount": 1, "maximum_amount": 9, "promotion": {"until": "2027-01-01"}}' FROM satmachine.atms;
    INSERT INTO satmachine.cash_slots SELECT id, 1, 20, 70 + id, 'EUR' FROM satmachine.atms;
    DROP TABLE bitspire_fees, bitspire_cassettes, dca_machines, accounts;
  `);
  await saga.startWorker({
    env: { REPUBLISH_CONFIG: path.join(EXAMPLES, 'another-schema/republish.config.json') },
  });

  const events = await (await saga.start(operator.id)).result();

  expect(events['bitspire-fees']).toHaveLength(2);
  expect(documentsOf(operator, 'bitspire-fees')[0]).toMatchObject({
    cash_in_percent: 1.5,
    promotion: { until: '2027-01-01' },
  });
  expect(documentsOf(operator, 'bitspire-cassettes')).toEqual([
    { cassettes: [{ position: 1, denomination: 20, count: 71, currency: 'EUR' }] },
    { cassettes: [{ position: 1, denomination: 20, count: 72, currency: 'EUR' }] },
  ]);
});
