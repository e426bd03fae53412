import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils';
import { type ReplayHistoriesIterable, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import pino from 'pino';
import { installRuntime } from '../../worker/logging';
import { testServers } from '../support/servers';

const DIRECTORY = path.join(__dirname, 'histories');
const NAMES = readdirSync(DIRECTORY).filter((file) => file.endsWith('.json'));

// The controls fail on purpose, and the SDK says so at length.
beforeAll(() => installRuntime(pino({ level: 'silent' })));

interface RecordedHistory {
  events: { eventType: string; activityTaskScheduledEventAttributes?: { activityType: { name: string } } }[];
}

function recorded(file: string): RecordedHistory {
  return JSON.parse(readFileSync(path.join(DIRECTORY, file), 'utf8')) as RecordedHistory;
}

/** Replays histories against workflow code; the errors by file name, undefined where the history fits. */
async function replay(
  files: string[],
  code: string,
  alter: (history: RecordedHistory) => RecordedHistory = (history) => history,
): Promise<Record<string, Error | undefined>> {
  const histories: ReplayHistoriesIterable = (async function* () {
    for (const file of files) yield { workflowId: file, history: historyFromJSON(alter(recorded(file))) };
  })();
  const results: Record<string, Error | undefined> = {};
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle: { code } },
    histories,
  )) {
    results[workflowId] = error;
  }
  return results;
}

const workflowCode = (): string => readFileSync(testServers().bundlePath, 'utf8');

test('there are histories of every kind of run', () => {
  for (const kind of [
    'complete',
    'unchanged',
    'partial',
    'failed-',
    'retried',
    'cancelled',
    'mid-flight',
    'no-machines',
    'paged',
    'holding',
    'held-',
    'paused',
    'approved',
    'continued-first',
    'continued-middle',
    'continued-mid-flight',
    'continued-holding',
    'continued-last',
    'fleet-some-failed',
    'fleet-paused-mid-flight',
    'fleet-paused-resumed',
    'fleet-cancelled',
    'fleet-continued-first',
    'fleet-continued-mid-flight',
    'fleet-continued-last',
  ]) {
    expect({ kind, files: NAMES.filter((name) => name.startsWith(kind)).length > 0 }).toEqual({
      kind,
      files: true,
    });
  }
});

test("33: every history replays on today's workflow", async () => {
  const results = await replay(NAMES, workflowCode());
  expect(Object.keys(results).sort()).toEqual(NAMES.sort());
  expect(Object.entries(results).filter(([, error]) => error !== undefined)).toEqual([]);
}, 240_000);

// Controls: a replay test that cannot fail says nothing.
test('33: a workflow that audits by another activity does not replay', async () => {
  const mutated = workflowCode().replaceAll('persistAudit', 'persistAuditElsewhere');
  expect(mutated).not.toBe(workflowCode());
  const { 'complete.json': error } = await replay(['complete.json'], mutated);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

test('33: a workflow that does not ask the signer does not replay', async () => {
  const code = workflowCode();
  const mutated = code.replace(/if \(toSign > 0\)/, 'if (false)');
  expect(mutated).not.toBe(code);
  const { 'complete.json': error } = await replay(['complete.json'], mutated);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

test('a workflow that stops after the first page does not replay', async () => {
  const code = workflowCode();
  const mutated = code.replace(/while \(after !== undefined\)/, 'while (false)');
  expect(mutated).not.toBe(code);
  const { 'paged.json': error } = await replay(['paged.json'], mutated);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

test('a workflow that hands over at another place does not replay', async () => {
  const code = workflowCode();
  const mutated = code.replace(/this\.queue\.begun >= documentsPerExecution/, 'false');
  expect(mutated).not.toBe(code);
  const { 'continued-first.json': error } = await replay(['continued-first.json'], mutated);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

test('a fleet that audits by another activity does not replay', async () => {
  const mutated = workflowCode().replaceAll('persistFleetAudit', 'persistFleetAuditElsewhere');
  const { 'fleet-some-failed.json': error } = await replay(['fleet-some-failed.json'], mutated);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

test('a history in which another activity was scheduled does not replay', async () => {
  const { 'complete.json': error } = await replay(['complete.json'], workflowCode(), (history) => {
    for (const event of history.events) {
      const scheduled = event.activityTaskScheduledEventAttributes;
      if (scheduled?.activityType.name === 'loadMachines') scheduled.activityType.name = 'loadSomethingElse';
    }
    return history;
  });
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

test('one copy of protobufjs: with two, histories cannot be read from JSON', () => {
  const own = require.resolve('protobufjs/package.json');
  for (const dependent of ['@temporalio/common', '@temporalio/proto', '@temporalio/worker']) {
    const from = require.resolve(`${dependent}/package.json`);
    expect(require.resolve('protobufjs/package.json', { paths: [path.dirname(from)] })).toBe(own);
  }
});
