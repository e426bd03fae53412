import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { exitCodeFor } from '../../client/cli/exit-codes';
import { FAILURES, type FailureType, remedyFor } from '../../contract/failures';
import { freePort } from '../../embedded/free-port';
import { Gate } from '../support/gate';
import { type Ended, preparePythonExample, type PythonExample } from '../support/python';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';
import ids from '../vectors/ids.json';
import runFailures from '../vectors/run-failures.json';
import sameRequest from '../vectors/same-request.json';

let saga: Saga;
let operator: SagaOperator;
let python: PythonExample;

beforeAll(async () => {
  python = await preparePythonExample();
  saga = await startSaga();
  operator = await saga.addOperator({ machines: 2 });
  // Python takes its time to start where the machine is busy: what is held meanwhile is not given up.
  await saga.startWorker({
    env: { REPUBLISH_BUNKER_TIMEOUT_MS: '120000', REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000' },
  });
}, 300_000);
afterAll(() => saga.stop(), 30_000);

jest.setTimeout(180_000);

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
  const all = await Promise.all([1, 2].map(() => python.run(['-c', MIGRATION, busy.id], saga.env)));
  expect(all.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
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

test('a run of another request is refused, or waited for and followed by one’s own; an id that is none starts nothing', async () => {
  const gate = new Gate();
  gate.close();
  const { id, machines } = await saga.addOperator({ machines: 2, bunker: { onRequest: gate.onRequest } });
  const [m1 = '', m2 = ''] = machines.map((machine) => machine.id);
  const other = await saga.start(id, { machineIds: [m1] });
  const refused = await command([id, '--machine', m2, '--no-wait']);
  expect(refused).toMatchObject({ exitCode: 1, stdout: '' });
  expect(refused.stderr).toContain(
    `AnotherRunGoesOn: a run of another request is running (its request: machines ${m1}; begun at`,
  );
  expect(refused.stderr).toContain(other.runId);

  // One waits, the other one attaches; when both have said so, the run of the other request may end.
  const script = `
import asyncio, json, logging, pathlib, sys
from republish_operator_configs import republish_operator_configs

operator_id, machine, file = sys.argv[1:]
said = []

class Listen(logging.Handler):
    def emit(self, record):
        said.append(record.getMessage())
        if sum("of another request (its request: machines" in text for text in said) == 2:
            pathlib.Path(file).touch()

logging.getLogger("republish_operator_configs").addHandler(Listen())
logging.getLogger("republish_operator_configs").setLevel(logging.INFO)

async def both():
    call = lambda **how: republish_operator_configs(operator_id, machine_ids=[machine], **how)
    return await asyncio.gather(call(), call(other_request="attach"))

print(json.dumps([*asyncio.run(both()), said]))
`;
  const folder = mkdtempSync(path.join(tmpdir(), 'republish-python-'));
  saga.onStop(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'both-have-said-so');
  const calls = python.run(['-c', script, id, m2, file], saga.env);
  await until(() => existsSync(file), 100_000);
  gate.open();
  const [own, theirs, said] = JSON.parse((await calls).stdout) as [EventsByType, EventsByType, string[]];
  expect(theirs).toEqual(await other.result());
  expect(Object.values(own).flat()).toHaveLength(2);
  expect(Object.values(theirs).flat()).not.toEqual(Object.values(own).flat());
  expect(said).toContainEqual(
    expect.stringMatching(
      /^waits for the end of a run of another request \(its request: machines .*; begun at 20/,
    ),
  );

  expect(await command(['op 1'])).toMatchObject({
    exitCode: 5,
    stdout: '',
    stderr: expect.stringMatching(/InvalidInput: operatorUserId must be .*: "op 1" has a blank/),
  });
});

test('its rules for requests and ids are those of contract/', async () => {
  const vectors = (name: string): string => path.resolve(__dirname, '../vectors', name);
  const script = `
import json, sys
from republish_operator_configs import _differences, _why_no_id

requests, ids = (json.load(open(name, encoding="utf-8")) for name in sys.argv[1:])
wrong = [each for each in requests if _differences(each["theirs"], each["ours"]) != each["differs"]]
wrong += [each for each in ids if _why_no_id(each["id"]) != each["why"]]
print(json.dumps([len(requests) + len(ids), wrong]))
`;
  const { stdout, stderr } = await python.run(
    ['-c', script, vectors('same-request.json'), vectors('ids.json')],
    {},
  );
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toEqual([sameRequest.length + ids.length, []]);
});

test('its failure types, exit codes and remedies are those of the catalogue', async () => {
  const script = `
import json, sys
import temporalio.exceptions as sdk
from republish_operator_configs import EXIT_CODES, _as_republish_failed, _failure_of_run

def failure(is_, message, type=None, details=()):
    if is_ == "application":
        return sdk.ApplicationError(message, *details, type=type)
    if is_ == "timeout":
        return sdk.TimeoutError(message, type=sdk.TimeoutType.START_TO_CLOSE, last_heartbeat_details=[])
    return {"cancelled": sdk.CancelledError, "terminated": sdk.TerminatedError}[is_](message)

def under(cause):
    error = sdk.ActivityError("it failed", scheduled_event_id=1, started_event_id=2, identity="worker@host",
                              activity_type="runPage", activity_id="7", retry_state=None)
    error.__cause__ = cause
    return error

def made(vector):
    given = vector["failure"]
    error = failure(given["is"], *[given[key] for key in ("message", "type", "details") if key in given])
    for _ in vector.get("under", []):
        error = under(error)
    return error

vectors = json.load(open(sys.argv[1], encoding="utf-8"))
found = [list(_failure_of_run(made(each))) for each in vectors]
ended = [vars(_as_republish_failed(made(each), "o'p"))["message"] for each in vectors]
print(json.dumps([found, ended, EXIT_CODES]))
`;
  const file = path.resolve(__dirname, '../vectors/run-failures.json');
  const { stdout, stderr } = await python.run(['-c', script, file], {});
  expect(stderr).toBe('');
  const [found, ended, exitCodes] = JSON.parse(stdout) as [string[][], string[], Record<string, number>];
  const expected = runFailures as { type: FailureType; message?: string; foreign?: string }[];
  expect(found).toEqual(expected.map(({ type, message, foreign }) => [type, message ?? foreign]));
  expect(exitCodes).toEqual(
    Object.fromEntries((Object.keys(FAILURES) as FailureType[]).map((type) => [type, exitCodeFor(type)])),
  );
  const timedOut = expected.findIndex(({ type }) => type === 'TimedOut');
  expect(ended[timedOut]).toBe(`${found[timedOut]?.[1]}. ${remedyFor('TimedOut')}`);
  const terminated = expected.findIndex(({ type }) => type === 'Terminated');
  expect(ended[terminated]).toContain(`republish end 'o'"'"'p'.`);
});

test('Temporal that is not there, or does not answer, is exit code 5 and no endless wait', async () => {
  const closed = `127.0.0.1:${await freePort()}`;
  // It reads, or it would not see that they have gone, and their sockets would keep this process alive.
  const silent = createServer((socket) => socket.on('error', () => undefined).resume());
  const silentPort = await freePort();
  await new Promise<void>((resolve) => silent.listen(silentPort, '127.0.0.1', resolve));
  try {
    for (const address of [closed, `127.0.0.1:${silentPort}`]) {
      const { exitCode, stdout, stderr } = await command([operator.id], {
        TEMPORAL_ADDRESS: address,
      });
      expect(stderr).toContain(`Temporal cannot be reached at ${address}: start it, or set TEMPORAL_ADDRESS`);
      expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: '' });
    }
  } finally {
    silent.close();
  }
});
