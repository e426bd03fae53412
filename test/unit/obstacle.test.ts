import * as fc from 'fast-check';
import { obstacleOf, type ObstacleFacts } from '../../client/obstacle';
import { runFindings, type SeenRun } from '../../inspection/doctor/run';

const facts = (some: Partial<ObstacleFacts> = {}): ObstacleFacts => ({
  taskQueue: 'q',
  attempt: 1,
  workers: { seen: [null], gone: 0, routesTo: [null] },
  answered: true,
  ...some,
});
const GONE = { seen: [], gone: 1, routesTo: [null] };
const failed = (message: string, cause = 14) => ({ attempt: 3, lastFailure: { cause, message } });

test.each<[string, Partial<ObstacleFacts>, string | undefined]>([
  ['somebody answers', {}, undefined],
  ['nobody was asked', { attempt: 0 }, undefined],
  ['nobody polls', { workers: { seen: [], gone: 0, routesTo: [null] } }, 'NoWorker'],
  [
    'nobody polls any more, and the task had failed',
    { ...failed('x'), workers: { seen: [], gone: 0, routesTo: [null] } },
    'NoWorker',
  ],
  ['the last one went by our clock, and somebody answers', { workers: GONE }, undefined],
  [
    'the last one went by our clock, and nobody was asked',
    { workers: GONE, answered: undefined } as never,
    undefined,
  ],
  ['the last one went, and nobody answers', { workers: GONE, answered: false }, 'NoWorker'],
  ['its task fails', failed('boom'), 'RunStuck'],
  [
    'its task fails, and Temporal does not say who polls',
    { ...failed('boom'), workers: undefined } as never,
    'RunStuck',
  ],
  ['the first attempt is in work', { ...failed('boom'), attempt: 1 }, undefined],
  ['something new came while it was in work', failed('', 1), undefined],
  ['somebody has reset it', failed('', 20), undefined],
  ['one attempt was late', { attempt: 2, lastFailure: { cause: 'timeout', message: '' } }, undefined],
  ['each attempt is late', { attempt: 3, lastFailure: { cause: 'timeout', message: '' } }, 'WorkerHangs'],
  [
    'only another build polls',
    { workers: { seen: ['r:2'], gone: 0, routesTo: ['r:1'] } },
    'NoWorkerOfRelease',
  ],
  ['no build is current', { workers: { seen: ['r:2'], gone: 0, routesTo: [null] } }, 'NoWorkerOfRelease'],
  [
    'workers without a deployment beside a current build',
    { workers: { seen: [null], gone: 0, routesTo: ['r:1'] } },
    'NoWorkerOfRelease',
  ],
  [
    'the build that ramps up polls',
    { workers: { seen: ['r:2'], gone: 0, routesTo: ['r:1', 'r:2'] } },
    undefined,
  ],
  [
    'it is pinned to a build that is gone',
    { pinnedTo: 'r:1', workers: { seen: ['r:2'], gone: 0, routesTo: ['r:2'] } },
    'NoWorkerOfRelease',
  ],
  [
    'it is pinned to one that is there',
    { pinnedTo: 'r:1', workers: { seen: ['r:1'], gone: 0, routesTo: ['r:2'] } },
    undefined,
  ],
  ['somebody polls, and nobody answers', { answered: false }, 'WorkerSilent'],
])('%s', (_, some, type) => {
  expect(obstacleOf(facts(some))?.type).toBe(type);
});

test('what a failed task says is one short line without secrets', () => {
  const message = `bad nsec1${'q'.repeat(58)} at postgres://me:word@host/db\nbunker://aa?secret=s1 \u{1f600}${'x'.repeat(400)}`;
  const told = obstacleOf(facts(failed(message)))?.message ?? '';
  expect(told).toContain('the worker met an error');
  expect(told).not.toMatch(/qqq|word|secret|\n/);
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 1_000 }), fc.nat(60), (text, cause) => {
      const shown = obstacleOf(facts({ ...failed(text, cause), attempt: 2 }))?.message ?? '';
      expect(shown.length).toBeLessThan(500);
      expect(shown).not.toMatch(/[\u0000-\u001f]|\p{Surrogate}/u);
    }),
  );
});

describe('what doctor says of the newest run', () => {
  const nowMs = Date.parse('2026-01-01T12:00:00.000Z');
  const seen = (some: Partial<SeenRun> = {}): SeenRun => ({
    runId: 'run',
    closedAt: null,
    outcome: null,
    obstacle: null,
    cancelRequested: false,
    approvals: [],
    progress: { phase: 'publishing', failed: 0, open: 2, planned: 4 },
    failure: null,
    ...some,
  });
  const ended = { outcome: 'complete' as const, closedAt: '2026-01-01T11:00:00.000Z' };
  const failure = { type: 'SignerRefused', message: 'no', remedy: 'Allow it.' };
  const moved = (at: string | null, isAudited = false) => ({ lastMove: at, isAudited });
  const stuck = { type: 'RunStuck' as const, message: 'm' };

  test.each<[string, SeenRun, { lastMove: string | null; isAudited: boolean } | undefined, string[]]>([
    [
      'goes on',
      seen(),
      moved('2026-01-01T11:59:50.000Z'),
      ['ok it is running (publishing); it last moved 10 s ago'],
    ],
    ['goes on, no ledger', seen(), undefined, ['ok it is running (publishing)']],
    [
      'has not moved for long',
      seen(),
      moved('2026-01-01T11:00:00.000Z'),
      ['warn it is running, and no document has come further'],
    ],
    [
      'stuck and cancelled',
      seen({ obstacle: stuck, cancelRequested: true, progress: null }),
      moved(null),
      ['fail RunStuck: m', 'warn the cancellation waits'],
    ],
    [
      'its worker hangs',
      seen({ obstacle: { type: 'WorkerHangs', message: 'm' }, progress: null }),
      moved(null),
      ['fail WorkerHangs: m'],
    ],
    [
      'waits for approval',
      seen({ approvals: ['https://a'] }),
      undefined,
      ['warn the bunker waits for a person'],
    ],
    [
      'holds',
      seen({ progress: { phase: 'holding', failed: 1, open: 0, planned: 4 } }),
      moved(null),
      ['warn it holds'],
    ],
    [
      'ended well',
      seen(ended),
      moved(null, true),
      ['ok the newest one is complete; it ended at 2026-01-01T11:00:00.000Z'],
    ],
    [
      'ended badly',
      seen({ ...ended, outcome: 'incomplete', failure }),
      moved(null, true),
      ['warn the newest one is incomplete; it ended at 2026-01-01T11:00:00.000Z: SignerRefused: no'],
    ],
    [
      'was terminated, no audit',
      seen({ ...ended, outcome: 'failed', failure }),
      moved(null),
      ['warn the newest', 'warn run run has ended and has no audit'],
    ],
  ])('%s', (_, run, kept, lines) => {
    const found = runFindings('op', run, kept, nowMs);
    expect(
      found.map(({ status, message }, index) => `${status} ${message}`.slice(0, lines[index]?.length)),
    ).toEqual(lines);
    for (const { status, remedy } of found) expect(remedy === undefined).toBe(status === 'ok');
  });
});
