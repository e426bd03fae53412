import fc from 'fast-check';
import { foreign, markup, sentence, shown } from '../../client/cli/report/markup';
import { fleetPage } from '../../client/cli/report/fleet-page';
import { runPage } from '../../client/cli/report/run-page';
import { summaryOf } from '../../client/cli/report/summary';
import { tookOf } from '../../client/cli/report/words';
import { cut } from '../../rules/cut';
import { noOutcomes, noStages } from '../../contract/progress';
import type { FailureType } from '../../contract/failures';
import type { Progress } from '../../contract/progress';
import { causesOf } from '../../inspection/report/causes';
import type { OperatorReport } from '../../inspection/report/model';
import {
  at,
  documentsFor,
  failedRun,
  fleetReportOf,
  idOf,
  OPERATOR_KEY,
  RELAYS,
  reported,
  type ReportedRun,
  runningRun,
  runReportOf,
  UNBEGUN,
} from '../support/report';

const failed = (type: FailureType) =>
  ({ ...UNBEGUN, outcome: 'failed', failureType: type, failureMessage: 'why' }) as const;
const open = { ...UNBEGUN, outcome: null };
const progress = (other: Partial<Progress>): Partial<Progress> => ({
  phase: 'publishing',
  cancelling: false,
  stages: noStages(),
  documentTypes: {},
  ...other,
});
const paused = { action: 'pause', at: at(9), by: 'ada', reason: 'lunch' } as const;

describe('the sentence at the top says how it stands, and the remedy what to do', () => {
  const two = documentsFor(1);
  const half = [reported('m1', 'bitspire-fees'), reported('m2', 'bitspire-fees', open)];
  const cases: [string, ReportedRun, tone: string, says: RegExp, remedies: RegExp[]][] = [
    ['complete', { documents: two, audit: {} }, 'good', /^Complete\. All 2 documents stand/, []],
    [
      'nothing to do',
      { documents: [reported('m1', 'x', { ...UNBEGUN, outcome: 'skipped' })], audit: {} },
      'good',
      /^Complete\. There was nothing to publish\.$/,
      [],
    ],
    [
      'complete, and a person gave up some of what was to stand',
      {
        documents: [
          ...two,
          reported('m2', 'x', { ...UNBEGUN, outcome: 'skipped', failureType: 'GivenUp' }),
          reported('m3', 'x', { ...UNBEGUN, outcome: 'skipped' }),
        ],
        audit: {},
      },
      'warning',
      /^Complete\. 2 of 3 documents stand; a person gave up 1\.$/,
      [],
    ],
    [
      'the newest run that the ledger knows, where Temporal could not be asked for a newer one',
      { documents: two, audit: {}, temporalAway: 'at x' },
      'warning',
      /^Temporal could not be asked for a newer run\. Of the newest in the ledger: Complete\. All 2/,
      [],
    ],
    [
      'no machines, which is told where they were looked for as long as a worker knows it',
      {
        audit: {},
        progress: progress({ phase: 'done', lookedIn: "table dca_machines, operator_user_id = '8f3c2b'" }),
      },
      'warning',
      /^Complete, and the operator had no machines: .* looked for in table dca_machines, operator_user_id/,
      [/^If there should be machines, .*republish plan 8f3c2b/],
    ],
    [
      'no machines, by the ledger alone',
      { audit: {} },
      'warning',
      /^Complete, and the operator had no machines: there was nothing to publish\.$/,
      [/^If there should be machines/],
    ],
    [
      'incomplete',
      {
        documents: [...half.slice(0, 1), reported('m2', 'x', failed('StateInvalid'))],
        audit: { outcome: 'incomplete' },
      },
      'bad',
      /^Incomplete\. 1 of 2 documents stand, 1 does not\.$/,
      [/^Correct the row/, /^Correct what the failures name/],
    ],
    [
      'ended on its signer: that, and not ten times NotAttempted',
      {
        documents: documentsFor(5, failed('NotAttempted')),
        audit: {
          outcome: 'failed',
          failure: { type: 'SignerNotConfigured', message: 'the operator has no signer' },
        },
      },
      'bad',
      /^Failed\. The operator has no signer\.$/,
      [/^Pair one: republish signer add 8f3c2b --bunker/],
    ],
    [
      'cancelled',
      {
        documents: [reported('m1', 'x'), reported('m2', 'x', failed('Interrupted'))],
        audit: {
          outcome: 'cancelled',
          interventions: [{ action: 'cancel', at: at(9), by: 'bob', reason: 'enough' }],
        },
      },
      'warning',
      /^Cancelled by bob \(enough\)\. 1 of 2 documents stand\.$/,
      [/^Start again/],
    ],
    [
      'goes on',
      { documents: half, progress: progress({}) },
      'calm',
      /^Running, publishing\. 1 of 2 documents stand so far\.$/,
      [],
    ],
    [
      'paused',
      { documents: half, progress: progress({ paused }) },
      'warning',
      /^Paused by ada \(lunch\)\. 1 of 2/,
      [/republish resume 8f3c2b/],
    ],
    [
      'holds',
      {
        documents: [...half.slice(0, 1), reported('m2', 'x', failed('StateInvalid'))],
        progress: progress({ phase: 'holding' }),
      },
      'warning',
      /^Waits for a decision on 1 failed\. 1 of 2/,
      [/^Correct the row/, /republish retry 8f3c2b.*republish skip 8f3c2b.*republish cancel 8f3c2b/],
    ],
    [
      'blocked',
      { documents: half, progress: progress({ blocked: { type: 'SignerUnreachable', message: 'away' } }) },
      'bad',
      /^No further documents are begun\. None of the bunker's relays/,
      [/^Check the bunker's relays/],
    ],
    [
      'waits for an approval',
      {
        documents: half,
        progress: progress({}),
        live: { approvals: ['https://bunker.example.com/approve/5d20'] },
      },
      'warning',
      /^The signer waits for a person to approve\./,
      [/republish status 8f3c2b/],
    ],
    [
      'no worker',
      {
        documents: half,
        progress: null,
        live: { obstacle: { type: 'NoWorker', message: 'nobody polls task queue typo' } },
      },
      'warning',
      /^No worker polls the task queue of the run, so the run waits\. 1 of 2/,
      [/republish worker.*republish end 8f3c2b/],
    ],
    [
      'its workflow task fails',
      {
        documents: half,
        progress: null,
        live: { obstacle: { type: 'RunStuck', message: 'unknown encoding' }, cancelRequested: true },
      },
      'bad',
      /^Workers take the run's next step and fail with it each time/,
      [/republish end 8f3c2b/],
    ],
    [
      'no worker answers, and Temporal does not say more',
      { documents: half, progress: null },
      'warning',
      /^Workers poll the task queue of the run, .*none answers\. 1 of 2/,
      [/^Look again in two minutes/],
    ],
    [
      'terminated',
      { documents: half, progress: null, live: { closedAt: at(9), status: 'TERMINATED' } },
      'bad',
      /^Ended without an audit: Temporal says TERMINATED\. 1 of 2/,
      [/^If the run has no audit row, write it first/],
    ],
    [
      'forgotten',
      { documents: half },
      'bad',
      /^Ended without an audit: Temporal does not know it/,
      [/^If the run has no audit row, write it first/],
    ],
    [
      'Temporal away',
      { documents: half, temporalAway: 'at x' },
      'warning',
      /^There is no audit: the run is not over, or/,
      [/republish status 8f3c2b/],
    ],
  ];

  test.each(cases)('%s', (_, run, tone, says, remedies) => {
    const { verdict } = runReportOf(run);
    expect(verdict).toMatchObject({ tone, sentence: expect.stringMatching(says) as string });
    expect(verdict.remedies).toHaveLength(remedies.length);
    remedies.forEach((remedy, index) => expect(verdict.remedies[index]).toMatch(remedy));
  });

  test('what keeps a run from moving is told with the words of Temporal, and that a cancellation waits for it', () => {
    const live = { obstacle: { type: 'RunStuck', message: 'unknown encoding' } as const };
    const report = runReportOf({ documents: half, progress: null, live: { ...live, cancelRequested: true } });
    expect(report.causes).toMatchObject([{ type: 'RunStuck', reasons: [{ text: 'unknown encoding' }] }]);
    expect(report.verdict.remarks.join()).toContain('The cancellation waits until a worker continues');
    expect(summaryOf(report)).toContain('RunStuck: holds up all of it\n  unknown encoding');
    const fleet = fleetReportOf([], null, {
      ...{ runId: 'f', workflowId: 'w', status: 'RUNNING', closedAt: null, taskQueue: 'q', progress: null },
      obstacle: { type: 'NoWorker', message: 'nobody polls task queue q' },
    });
    expect(fleet).toMatchObject({
      verdict: { remedies: [expect.stringContaining('republish fleet end')] },
      causes: [{ type: 'NoWorker', remedy: expect.stringContaining('republish fleet end') as string }],
    });
  });

  test('the head of the audit is on the page and in the summary', () => {
    for (const report of [failedRun(), fleetReportOf(2)]) {
      const { hash = '' } = report.auditRow ?? {};
      expect(summaryOf(report)).toContain(`audit: row 1, head ${hash}`);
      const page = report.kind === 'run' ? runPage(report) : fleetPage(report);
      expect([...page].join('')).toContain(`<code class="id">${hash}</code>`);
    }
  });

  test('100 % is only where all that was to stand stands', () => {
    expect(runReportOf({ documents: two, audit: {} }).howFar).toEqual({ done: 2, of: 2, percent: 100 });
    const cancelled = { documents: [reported('m1', 'x'), reported('m2', 'x', failed('Interrupted'))] };
    expect(runReportOf({ ...cancelled, audit: { outcome: 'cancelled' } }).howFar.percent).toBe(50);
  });

  test('nor where a person gave up some of it', () => {
    const given = reported('m2', 'x', { ...UNBEGUN, outcome: 'skipped', failureType: 'GivenUp' });
    const { howFar, verdict } = runReportOf({ documents: [...two, given], audit: {} });
    expect(howFar).toEqual({ done: 2, of: 3, percent: 66 });
    expect(verdict.sentence).toContain('a person gave up 1');
    expect(verdict.remarks).toEqual([]);
  });

  test('what stood and was not looked at again is not said to stand without a word', () => {
    const { verdict } = runReportOf({ documents: two, audit: { outcome: 'cancelled', swept: false } });
    expect(verdict.remarks.join()).toContain('was not looked at once more');
  });
});

test('what ended a run is the first cause, what is only its consequence the last', () => {
  const causes = causesOf(
    [
      ...Array.from({ length: 9 }, () => ({
        type: 'NotAttempted' as const,
        message: 'ended',
        id: 'm',
        name: 'm',
      })),
      { type: 'StateInvalid', message: 'a', id: 'm1', name: 'm1' },
      { type: 'StateInvalid', message: 'b', id: 'm2', name: 'm2' },
      { type: 'StateInvalid', message: 'b', id: 'm3', name: 'm3', isOpen: true },
    ],
    { type: 'SignerUnreachable', message: 'all relays are away' },
  );
  expect(causes.map(({ type, failed, open }) => [type, failed, open])).toEqual([
    ['SignerUnreachable', 0, 0],
    ['StateInvalid', 2, 1],
    ['NotAttempted', 9, 0],
  ]);
  expect(causes[0]?.reasons).toEqual([{ text: 'all relays are away', count: 0, examples: [] }]);
  expect(causes[1]?.reasons.map(({ text, count }) => [text, count])).toEqual([
    ['b', 2],
    ['a', 1],
  ]);
});

test('machines by how they stand, relays by what they lack', () => {
  const { machines, relays, counts } = failedRun();
  const grades = machines.map(({ machineId, grade }) => [machineId, grade]);
  expect(grades.filter(([, grade]) => grade !== 'good')).toEqual([
    ['m01', 'wrong'],
    ['m03', 'wrong'],
    ['m04', 'wrong'],
    // Given up by a person: somebody has to know.
    ['m05', 'wrong'],
    ['m08', 'nothing'],
  ]);
  expect(counts).toMatchObject({ planned: 21, published: 15, failed: 4, skipped: 3, open: 0 });
  expect(relays).toEqual([
    {
      relay: RELAYS[2],
      holds: 16,
      others: [{ state: 'unreachable', detail: 'connection refused', count: 1 }],
    },
    { relay: RELAYS[0], holds: 18, others: [] },
    { relay: RELAYS[1], holds: 17, others: [{ state: 'refused', detail: 'blocked: pay first', count: 1 }] },
  ]);
});

test('a report has no page for approval, which whoever it is sent to could open', () => {
  const url = 'https://bunker.example.com/approve/5d20';
  const report = runReportOf({ progress: progress({ approvals: [url] }), live: { approvals: [url] } });
  expect(report.live).toMatchObject({ approvals: 1 });
  expect(JSON.stringify(report)).not.toContain('approve/5d20');
});

test('operators of a fleet fail for what their documents failed for', () => {
  const { causes, counts, verdict, howFar } = fleetReportOf(40);
  expect(causes.map(({ type, failed }) => [type, failed])).toEqual([
    ['SignerNotConfigured', 3],
    ['RelayQuorumNotReached', 2],
  ]);
  expect(counts).toMatchObject({ planned: 40, complete: 35, failed: 3, incomplete: 2 });
  expect(howFar).toEqual({ done: 35, of: 40, percent: 87 });
  expect(verdict).toMatchObject({ tone: 'bad', sentence: 'Incomplete. 35 of 40 operators are complete.' });
});

test('what a person gave up was to stand, in the report of a fleet too', () => {
  const [operator] = fleetReportOf(1).operators as [OperatorReport];
  const given = { ...noOutcomes(), published: 3, skipped: 2, givenUp: 1 };
  const report = fleetReportOf([{ ...operator, counts: { 'bitspire-fees': given } }]);
  expect(report.documents).toMatchObject({ planned: 3, published: 3, skipped: 2, givenUp: 1 });
  expect([...fleetPage(report)].join('')).toContain('3 of 4 stand, 1 given up');
});

test('a long message ends with an ellipsis, and in no half of a character', () => {
  expect(cut('a'.repeat(300))).toBe('a'.repeat(300));
  expect(cut('a'.repeat(301))).toBe(`${'a'.repeat(299)}…`);
  expect(cut(`${'a'.repeat(298)}😀b`)).toBe(`${'a'.repeat(298)}…`);
});

test('a terminal is shown the sentence, what to do, and what went wrong', () => {
  const text = summaryOf(failedRun());
  expect(text).toMatch(
    /^operator 8f3c2b, run 0b9d2f6e-.*, as of 2026-11-27 12:04:39 UTC\nIncomplete\. 17 of 22 documents stand, 4 do not; a person gave up 1\. \(77 %\)\ndo: Check that the bunker/,
  );
  expect(text).toContain('SignerTimeout: 3 documents failed\n');
  expect(text).toContain('bitspire-fees of machine Shop m01 (m01)');
  expect(summaryOf(runningRun())).toContain('SignerTimeout: 1 document in trouble, tried again');
});

test('the keys that a run was opened with and those before', () => {
  const before = { pubkey: idOf('before'), until: at(-9) };
  expect(runReportOf({ before, audit: {} }).keys).toEqual({ now: OPERATOR_KEY, before });
});

describe('markup', () => {
  test('is made by nobody but its own tag: whatever is put into it is text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { source } = markup`<p>${text}</p>`;
        const inner = source.slice('<p>'.length, -'</p>'.length);
        expect(inner).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
        expect(foreign(text).source).toBe(`<bdi>${inner}</bdi>`);
      }),
    );
  });

  test.each([
    ['a\u202eb\u2066c\u0000d\u001be\u009bf', 'a\ufffdb\ufffdc\ufffdd\ufffde\ufffdf'],
    ['line\r\nbreak\tand tab', 'line break and tab'],
    ['half a pair \ud83d, a whole one 😀', 'half a pair \ufffd, a whole one 😀'],
  ])('%j would steer the page, and is shown as a mark', (text, seen) => expect(shown(text)).toBe(seen));

  test('a command in a sentence of ours is set as one', () => {
    expect(sentence('Compare `a <b>` with c').source).toBe('Compare <code>a &lt;b&gt;</code> with c');
  });
});

test.each([
  [0, '0 ms'],
  [850, '850 ms'],
  [64_400, '1 min 4 s'],
  [3_600_000, '1 h'],
  [90_061_000, '1 d 1 h'],
  [59_999, '1 min'],
])('%i ms took %s', (ms, told) => expect(tookOf(ms)).toBe(told));
