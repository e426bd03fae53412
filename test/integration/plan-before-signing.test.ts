import { finalizeEvent, generateSecretKey, getPublicKey, nip44 } from 'nostr-tools';
import type { RepublishPlan } from '../../inspection/plan';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { publishBeside } from '../support/inspection';
import type { Saga } from '../support/saga';

let saga: Saga;
beforeAll(async () => {
  saga = await startPatientSaga();
  await saga.startWorker();
});
afterAll(() => saga.stop());

const plan = async (args: string[]): Promise<{ code: number; plan: RepublishPlan }> => {
  const { code, stdout, stderr } = await republish(['plan', ...args, '--json'], saga.env);
  if (stdout === '') throw new Error(stderr);
  return { code, plan: JSON.parse(stdout) as RepublishPlan };
};

test('what stands at the new address and is not ours is counted, and no run is taken for a stranger', async () => {
  const secretKey = generateSecretKey();
  const { id, machines } = await saga.addLocalOperator({
    machines: 2,
    secretKeyHex: Buffer.from(secretKey).toString('hex'),
    pubkey: getPublicKey(secretKey),
  });
  const [machine] = machines;
  if (machine === undefined) throw new Error('no machine');
  // As the extension publishes under the new key when a fee is saved.
  const key = nip44.getConversationKey(secretKey, machine.atmPubkey);
  const d = `bitspire-fees:${machine.atmPubkey}`;
  await publishBeside(
    saga.relays[0]?.url,
    finalizeEvent(
      {
        kind: 30078,
        created_at: Math.floor(Date.now() / 1000) - 60,
        tags: [
          ['d', d],
          ['p', machine.atmPubkey],
        ],
        content: nip44.encrypt('{}', key),
      },
      secretKey,
    ),
  );
  const before = await plan([id]);
  expect(before.plan).toMatchObject({ standAlready: 1, toSign: 4 });
  expect(before.plan.documents.find((each) => each.standsAlready)).toMatchObject({
    documentType: 'bitspire-fees',
    machineId: machine.id,
  });
  const text = await republish(['plan', id], saga.env);
  expect(text.stdout).toContain(
    '1 of them have a document at the new address that is not ours, as far as this ledger knows',
  );

  await (await saga.start(id)).result();
  expect((await plan([id, '--force', '--reset-counts'])).plan).toMatchObject({ standAlready: 0, toSign: 4 });
  expect((await plan([id, '--force'])).plan).toMatchObject({
    toSign: 2,
    counts: { unchanged: 2, publish: 2 },
  });
  expect((await republish(['plan', id, '--reset-counts'], saga.env)).code).toBe(2);
});

test('another secrets key is no changed state, and a key that is given twice is no machine', async () => {
  const { id, machines } = await saga.addOperator({ machines: 2 });
  await (await saga.start(id)).result();
  const env = { ...saga.env, REPUBLISH_SECRETS_KEY: 'f'.repeat(64) };
  const { code, stdout, stderr } = await republish(['plan', id, '--json'], env);
  expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
  expect(stderr).toContain('REPUBLISH_SECRETS_KEY');

  const [one, other] = machines;
  await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = $1 WHERE id = $2', [
    `\u00a0${one?.atmPubkey}`,
    other?.id,
  ]);
  const shared = await plan([id]);
  expect(shared.code).toBe(5);
  expect(
    shared.plan.documents
      .filter(({ failure }) => failure?.type === 'MachineKeyInvalid')
      .map((each) => each.machineId),
  ).toEqual([other?.id, other?.id]);
});

test('a worker that lacks a type which the ledger has refuses a run of all types, and takes one of those it knows', async () => {
  const { id, bunker } = await saga.addOperator({ machines: 1 });
  await (await saga.start(id)).result();
  // As if a worker with one more type had published it.
  await saga.database.query(
    `WITH run AS (INSERT INTO republish.runs (run_id, workflow_id, operator_user_id, operator_pubkey, document_types, force, reset_counts, request)
                  VALUES ('another', 'w', $1, $2, '{operator-hours}', false, false, '{}') RETURNING run_id),
          page AS (INSERT INTO republish.pages (run_id, page, document_type) SELECT run_id, 0, 'operator-hours' FROM run RETURNING *)
     INSERT INTO republish.documents (run_id, page, document_type, machine_id, machine_name, operator_pubkey, event_id)
     SELECT run_id, page, document_type, 'm', 'm', $2, $3 FROM page`,
    [id, bunker.userPubkey, 'e'.repeat(64)],
  );
  await expect((await saga.start(id)).result()).rejects.toMatchObject({ type: 'UnknownDocumentType' });
  expect(await plan([id])).toMatchObject({ code: 5, plan: { problems: [{ type: 'UnknownDocumentType' }] } });
  const known = await saga.start(id, { documentTypes: ['bitspire-fees'] });
  expect(Object.keys(await known.result())).toEqual(['bitspire-fees']);
});

test('a missing super_config is a failure by name for every machine, before anything is signed', async () => {
  const { id, bunker } = await saga.addOperator({ machines: 1 });
  await saga.database.query('DELETE FROM spirekeeper.super_config');
  const { code, plan: planned } = await plan([id, '--document-type', 'bitspire-fees']);
  expect(code).toBe(5);
  expect(planned.documents).toMatchObject([{ action: 'invalid', failure: { type: 'SuperConfigMissing' } }]);
  expect(bunker.requests.filter(({ method }) => method === 'sign_event')).toEqual([]);
  const doctor = await republish(['doctor', '--operator', id, '--json'], saga.env);
  expect(JSON.parse(doctor.stdout)).toContainEqual(
    expect.objectContaining({
      subject: 'queries.documents.bitspire-fees',
      status: 'fail',
      message: 'super_config has no row',
    }),
  );
  await saga.database.query('INSERT INTO spirekeeper.super_config DEFAULT VALUES');
});

test('relays to which nostrclient publishes and which are not configured are named', async () => {
  const { id } = await saga.addOperator({ machines: 1 });
  await saga.database.query(
    'CREATE SCHEMA nostrclient; CREATE TABLE nostrclient.relays (id text PRIMARY KEY, url text, active boolean)',
  );
  const own = saga.relays[0]?.url ?? '';
  await saga.database.query(
    "INSERT INTO nostrclient.relays VALUES ('1', $1, true), ('2', 'wss://Relay.Example/', false)",
    [own],
  );
  expect((await plan([id])).plan.missingRelays).toEqual(['wss://relay.example']);
  expect((await republish(['plan', id], saga.env)).stdout).toContain(
    "LNbits' nostrclient publishes to wss://relay.example too",
  );
  const doctor = await republish(['doctor', '--json'], saga.env);
  expect(JSON.parse(doctor.stdout)).toContainEqual(
    expect.objectContaining({ area: 'lnbits', subject: 'nostrclient', status: 'warn' }),
  );
});
