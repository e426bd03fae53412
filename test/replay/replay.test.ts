import path from 'node:path';
import { readFileSync } from 'node:fs';
import { historyFromJSON } from '@temporalio/common/lib/proto-utils';
import { type ReplayHistoriesIterable, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import pino from 'pino';
import { installRuntime } from '../../worker/logging';
import { testServers } from '../support/servers';
import { recorded, recordedFiles, type RecordedHistory } from './histories';
import { type Kind, KINDS, missingIn } from './kinds';

const FILES = recordedFiles();
const kindOf = (file: string): string => path.parse(file).name;

// The controls fail on purpose, and the SDK says so at length.
beforeAll(() => installRuntime(pino({ level: 'silent' })));

/** Replays histories against workflow code; the errors by file, undefined where the history fits. */
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

test('there is a history of every kind of run, and each shows what its kind has to', () => {
  expect([...new Set(FILES.map(kindOf))].sort()).toEqual(Object.keys(KINDS).sort());
  expect(FILES.flatMap((file) => missingIn(kindOf(file), recorded(file)) ?? [])).toEqual([]);
});

test("33: every history replays on today's workflow", async () => {
  const results = await replay(FILES, workflowCode());
  expect(Object.keys(results).sort()).toEqual(FILES);
  expect(Object.entries(results).filter(([, error]) => error !== undefined)).toEqual([]);
}, 240_000);

// Controls: a replay test that cannot fail says nothing.
describe('33: controls', () => {
  const newestOf = (kind: Kind): string => FILES.filter((file) => kindOf(file) === kind).at(-1) ?? '';

  /** A private field, as the bundle reads it. */
  const field = (name: string): string => `_class_private_field_get(this, _${name})`;

  /** An altered workflow, and a kind of run that shows it. */
  const altered: [what: string, kind: Kind, from: string, to: string][] = [
    ['audits by another activity', 'complete', 'persistAudit', 'persistAuditElsewhere'],
    ['does not prove the signer', 'complete', `if (${field('mustProve')})`, 'if (false)'],
    ['gives pages out in another order', 'complete', `${field('queue')}[0]`, `${field('queue')}.at(-1)`],
    ['does not look at its documents once more', 'complete', `return ${field('isSwept')} ?`, 'return true ?'],
    [
      'begins pages although all have met one cause',
      'signer-refuses',
      'if (cause !== undefined) _',
      'if (false) _',
    ],
    ['loads the first machines only', 'loaded-in-parts', '_isLoaded, next === undefined', '_isLoaded, true'],
    ['does not settle what ran out of time', 'timed-out', 'settlePage.execute', 'readLedger.execute'],
    ['does not hold', 'held-skipped', `return ${field('isSwept')} && ${field('hasFailed')}`, 'return false'],
    ['goes on as it was after a pause', 'paused-resumed', 'readLedger.execute', 'settlePage.execute'],
    [
      'hands over at another place',
      'continued-first',
      `${field('begun')} >= ${field('pagesPerExecution')}`,
      'false',
    ],
    ['does not ask what is open', 'continued-last', `if (!${field('isLedgerRead')})`, 'if (false)'],
    ['audits a fleet by another activity', 'fleet-some-failed', 'persistFleetAudit', 'persistElsewhere'],
  ];

  test.each(altered)('a workflow that %s does not replay (%s)', async (_, kind, from, to) => {
    const code = workflowCode();
    const mutated = code.replaceAll(from, to);
    expect(mutated).not.toBe(code);
    const file = newestOf(kind);
    const { [file]: error } = await replay([file], mutated);
    expect(error).toBeInstanceOf(DeterminismViolationError);
  });

  test.each([
    ['another activity was scheduled', { activityType: { name: 'loadSomethingElse' } }],
    ['a page was begun under another id', { activityId: 'page 7' }],
  ])('a history in which %s does not replay', async (_, change) => {
    const file = newestOf('complete');
    const name = 'activityType' in change ? 'loadMachines' : 'republishDocuments';
    const { [file]: error } = await replay([file], workflowCode(), (history) => {
      for (const { activityTaskScheduledEventAttributes: scheduled } of history.events)
        if (scheduled?.activityType.name === name) Object.assign(scheduled, change);
      return history;
    });
    expect(error).toBeInstanceOf(DeterminismViolationError);
  });
});

test('one copy of protobufjs: with two, histories cannot be read from JSON', () => {
  const own = require.resolve('protobufjs/package.json');
  for (const dependent of ['@temporalio/common', '@temporalio/proto', '@temporalio/worker']) {
    const from = require.resolve(`${dependent}/package.json`);
    expect(require.resolve('protobufjs/package.json', { paths: [path.dirname(from)] })).toBe(own);
  }
});
