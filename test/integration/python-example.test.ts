import { createServer } from 'node:net';
import { freePort } from '../../embedded/free-port';
import { type Ended, preparePythonExample, type PythonExample } from '../support/python';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';

let saga: Saga;
let operator: SagaOperator;
let python: PythonExample;

beforeAll(async () => {
  python = await preparePythonExample();
  saga = await startSaga();
  operator = await saga.addOperator({ machines: 2 });
  await saga.startWorker();
}, 300_000);
afterAll(() => saga.stop(), 30_000);

type EventsByType = Record<string, string[]>;

/** The one line of a migration script. */
const MIGRATION = `
import asyncio, json, sys
from republish_operator_configs import republish_operator_configs

async def migrate(operator_id):
    events = await republish_operator_configs(operator_id)
    print(json.dumps(events))

asyncio.run(migrate(sys.argv[1]))
`;

function command(args: string[], overrides: Record<string, string> = {}): Promise<Ended> {
  return python.run(['republish_operator_configs.py', ...args], { ...saga.env, ...overrides });
}

async function lastAudit(operatorUserId: string): Promise<Record<string, unknown> | undefined> {
  const rows = await saga.database.query<Record<string, unknown>>(
    'SELECT outcome, events, reason FROM republish.audit_log WHERE operator_user_id = $1 ORDER BY id DESC LIMIT 1',
    [operatorUserId],
  );
  return rows[0];
}

function storedIds({ bunker }: SagaOperator): string[] {
  const stored = (saga.relays[0]?.events() ?? []).filter(
    ({ pubkey, kind }) => pubkey === bunker.userPubkey && kind === 30078,
  );
  return stored.map(({ id }) => id).sort();
}

test('one line in a migration script publishes everything, and a second call finds it in place', async () => {
  const first = await python.run(['-c', MIGRATION, operator.id], saga.env);
  expect(first).toMatchObject({ exitCode: 0, stderr: '' });
  const events = JSON.parse(first.stdout) as EventsByType;
  expect(Object.keys(events).length).toBeGreaterThan(0);
  for (const ids of Object.values(events)) expect(ids).toHaveLength(operator.machines.length);
  expect(storedIds(operator)).toEqual(Object.values(events).flat().sort());
  expect(await lastAudit(operator.id)).toEqual({ outcome: 'complete', events, reason: null });

  const second = await command([operator.id, '--reason', 'looked again']);
  expect(second.exitCode).toBe(0);
  expect(JSON.parse(second.stdout)).toEqual(events);
  expect(second.stderr).toContain(`waiting for republish-operator-configs/${operator.id}`);
  expect(await lastAudit(operator.id)).toEqual({ outcome: 'complete', events, reason: 'looked again' });
});

test('calls at the same time give the same ids', async () => {
  const busy = await saga.addOperator({ machines: 2 });
  const all = await Promise.all([1, 2, 3].map(() => python.run(['-c', MIGRATION, busy.id], saga.env)));
  expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0, 0]);
  expect(new Set(all.map(({ stdout }) => stdout)).size).toBe(1);
});

test('what could not be republished is exit code 3, and what stands is on stdout', async () => {
  const broken = await saga.addOperator({ machines: 2 });
  const [machine] = broken.machines;
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
    [machine?.id],
  );

  const { exitCode, stdout, stderr } = await command([broken.id]);
  expect(stderr).toContain('RepublishIncomplete');
  expect(stderr).toContain(`bitspire-fees of machine ${machine?.name} (${machine?.id}): StateInvalid`);
  expect(exitCode).toBe(3);
  const published = JSON.parse(stdout) as EventsByType;
  expect(published['bitspire-fees']).toHaveLength(1);
  expect(storedIds(broken)).toEqual(Object.values(published).flat().sort());
});

test('the failure says in Python what stands and what does not', async () => {
  const broken = await saga.addOperator({ machines: 1 });
  const machineId = broken.machines[0]?.id;
  await saga.database.query(
    'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
    [machineId],
  );
  const script = `
import asyncio, json, sys
from republish_operator_configs import RepublishFailed, republish_operator_configs

try:
    asyncio.run(republish_operator_configs(sys.argv[1], document_types=["bitspire-fees"], machine_ids=[sys.argv[2]]))
except RepublishFailed as error:
    print(json.dumps(vars(error)))
`;
  const { stdout } = await python.run(['-c', script, broken.id, String(machineId)], saga.env);
  expect(JSON.parse(stdout)).toEqual({
    type: 'RepublishIncomplete',
    message: expect.stringContaining('1 document could not be republished'),
    published: { 'bitspire-fees': [] },
    failures: [
      {
        documentType: 'bitspire-fees',
        machineId,
        machineName: expect.stringContaining(' ATM ') as string,
        type: 'StateInvalid',
        message: expect.any(String),
      },
    ],
    failed: 1,
  });
});

test('an operator that does not exist is exit code 5, another key than the expected one exit code 4', async () => {
  const unknown = await command(['no-such-operator']);
  expect(unknown).toMatchObject({ exitCode: 5, stdout: '' });
  expect(unknown.stderr).toContain('OperatorNotFound');

  const otherKey = await command([operator.id, '--expected-pubkey', 'ab'.repeat(32)]);
  expect(otherKey).toMatchObject({ exitCode: 4, stdout: '' });
  expect(otherKey.stderr).toContain('SignerPubkeyMismatch');

  expect(await command([])).toMatchObject({ exitCode: 2, stdout: '' });
});

test('Temporal that is not there, or does not answer, is exit code 5 within seconds', async () => {
  // How long Python takes to start is the machine's matter.
  const { durationMs: startMs } = await command([]);
  const closed = `127.0.0.1:${await freePort()}`;
  const silent = createServer((socket) => socket.on('error', () => undefined));
  const silentPort = await freePort();
  await new Promise<void>((resolve) => silent.listen(silentPort, '127.0.0.1', resolve));
  try {
    for (const address of [closed, `127.0.0.1:${silentPort}`]) {
      const { exitCode, stdout, stderr, durationMs } = await command([operator.id], {
        TEMPORAL_ADDRESS: address,
      });
      expect(stderr).toContain(`Temporal cannot be reached at ${address}: start it, or set TEMPORAL_ADDRESS`);
      expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
      expect(durationMs - startMs).toBeLessThan(6_500);
    }
  } finally {
    silent.close();
  }
});
