import { runView } from '../../client/cli/run-view/view';
import { failureLines, outcomeLines } from '../../client/cli/run-view/outcome';
import { paint } from '../../client/cli/terminal/paint';
import { RepublishFailed } from '../../client/errors';
import { PlainLines } from '../../client/cli/run-view/plain-lines';
import { secondsLeft } from '../../client/cli/run-view/rate';
import type { RunStatus } from '../../client/run-status';
import type { Retry, Step } from '../../client/run-steps';
import type { DocumentFailure, FailureType } from '../../contract/failures';
import { noCounts, type WaitingDocument } from '../../contract/progress';
import { progressOf } from '../support/progress';
import { statusOf } from '../support/run-status';

const COLUMNS = 80;

const progress = progressOf({
  planned: 3,
  published: 1,
  documentTypes: { 'bitspire-fees': { ...noCounts(), planned: 3, published: 1 } },
});

const NOW = '2026-01-01T03:00:00.000Z';

function step(overrides: Partial<Step> = {}): Step {
  return {
    activity: 'republishDocuments',
    page: 3,
    documentType: 'bitspire-fees',
    machines: { from: 101, to: 200, of: 10_000 },
    attempt: 1,
    startedAt: '2026-01-01T02:59:48.000Z',
    ...overrides,
  };
}

function waits(overrides: Partial<WaitingDocument> = {}): WaitingDocument {
  return {
    documentType: 'bitspire-fees',
    machineId: '3c9e9fa2-6f0d-4f31-9d6b-3f1a26b1a0aa',
    why: 'SignerTimeout: the bunker did not answer within 30 s',
    since: '2026-01-01T02:57:00.000Z',
    tries: 4,
    ...overrides,
  };
}

/** It meets with no trouble. */
function calm(machineId: string): WaitingDocument {
  return { documentType: 'bitspire-fees', machineId, why: 'signature' };
}

function retry(overrides: Partial<Retry> = {}): Retry {
  return {
    ...step(),
    attempt: 3,
    maxAttempts: 0,
    type: 'RelayQuorumNotReached',
    message:
      '1 of the 2 required relays hold the document; wss://one.example.com: connect ECONNREFUSED; wss://two.example.com: blocked: not on the list',
    nextAttemptAt: null,
    ...overrides,
  };
}

function shown(overrides: Partial<RunStatus>, perSecond?: number, isBrief = false): string {
  const status = statusOf({ progress, ...overrides });
  return runView(status, 'op', {
    ...{ columns: COLUMNS, nowMs: Date.parse(NOW), maxListed: 8, perSecond, isBrief },
  })
    .map((line) => paint(line, COLUMNS - 1, false))
    .join('\n');
}

test('what somebody has to mend is never cut off: the last relay of a reason, the attempt, the word worker', () => {
  const text = shown({ retrying: [retry()] });
  expect(text).not.toContain('…');
  expect(text).toContain('bitspire-fees, machines 101-200 of 10,000  attempt 3, in work');
  expect(text.replace(/\s+/g, ' ')).toContain('wss://two.example.com: blocked: not on the list');

  const obstacle = { type: 'NoWorker' as const, message: 'nobody polls task queue q' };
  const alone = shown({ progress: null, obstacle });
  // Temporal calls it running; nobody works on it.
  expect(alone).toMatch(/^op {2}waits for a worker {2}run of /);
  expect(shown({ progress: null, obstacle: { type: 'RunStuck', message: 'fails' } })).toMatch(
    /^op {2}stuck {2}/,
  );
  expect(alone).not.toContain('…');
  expect(alone.replace(/\s+/g, ' ')).toContain(
    'NoWorker: nobody polls task queue q remedy: Start one: republish worker, with',
  );
});

test('a reason that names a command names it for this operator', () => {
  const message = 'pair it again (republish signer add <operator> --bunker)';
  for (const text of [
    shown({ retrying: [retry({ type: 'SignerTimeout', message })] }),
    shown({ waiting: [waits({ why: message })] }),
    shown({ progress: progressOf({ planned: 3, blocked: { type: 'SignerTimeout', message } }) }),
    new PlainLines('op').see(statusOf({ progress, waiting: [waits({ why: message })] }), 0).join(),
  ]) {
    expect(text).toContain('republish signer add op --bunker)');
    expect(text).not.toContain('<operator>');
  }
});

test('pages and documents that lack the same relay share the reason; a small screen has it on one line', () => {
  const why = `${retry().type}: ${retry().message}`;
  const waiting = [waits({ why }), waits({ why, machineId: 'b' }), waits({ why, machineId: 'c' })];
  const retrying = [retry(), retry({ documentType: 'bitspire-cassettes' })];
  for (const text of [shown({ waiting }), shown({ retrying })])
    expect(text.match(/RelayQuorumNotReached/g)).toHaveLength(1);
  const text = shown({ waiting });
  expect(text.indexOf('machine c')).toBeLessThan(text.indexOf('RelayQuorumNotReached'));
  const brief = shown({ waiting }, undefined, true).split('\n');
  expect(brief.filter((line) => line.startsWith('    Relay'))).toHaveLength(1);
  expect(brief.at(-1)).toMatch(/^ {4}RelayQuorumNotReached: .*…$/);
});

test('a document that waits says since when, how often it was tried, and why', () => {
  const waiting = [
    waits(),
    waits({ machineId: 'second', since: '2026-01-01T02:59:15.000Z', tries: 1 }),
    calm('third'),
  ];
  const lines = shown({ waiting }).split('\n');
  expect(lines.slice(lines.indexOf('waiting 3 of 3 without outcome'))).toEqual([
    'waiting 3 of 3 without outcome',
    '  bitspire-fees of machine 3c9e9fa2-6f0d-4f31-9d6b-3f1a26b1a0aa',
    '    for 3 min, tried 4 times',
    '  bitspire-fees of machine second  for 45 s, tried once',
    '    SignerTimeout: the bunker did not answer within 30 s',
    '  bitspire-fees of machine third  signature',
  ]);
});

test('the header tells the age of the run, not of the phase or the pause', () => {
  const startedAt = '2026-01-01T02:59:07.000Z';
  const [paused] = shown({
    startedAt,
    progress: { ...progress, paused: { action: 'pause', at: startedAt } },
  }).split('\n');
  expect(paused).toMatch(/^op {2}paused {2}run of 53 s {2}\S+$/);
  const [ended] = shown({ startedAt, closedAt: NOW, outcome: 'complete' }).split('\n');
  expect(ended).toMatch(/^op {2}complete {2}after 53 s {2}run \S+$/);
});

test('a slow bunker is seen to move before anything has its outcome', () => {
  const stages = { encrypted: 3, signed: 2, sent: 1, standing: 1 };
  const text = shown({
    progress: progressOf({ planned: 3 }),
    stages,
    inWork: [step({ stages }), step({ machines: { from: 1, to: 3, of: 3 }, startedAt: null })],
  });
  expect(text).toMatch(/33% {2}1 of 3$/m);
  expect(text).toMatch(/^encrypted 3, signed 2, sent 1, standing 1$/m);
  expect(text).toContain(
    'in work 2\n  bitspire-fees, machines 101-200 of 10,000\n    for 12 s  encrypted 3,',
  );
  expect(text).toContain('  bitspire-fees, 3 machines  waits for a worker');
});

test('what blocks a run is told with its remedy, once, and no end is promised', () => {
  const failures = [{ documentType: 't', machineId: 'm', type: 'SignerRefused' as const, message: 'denied' }];
  const counts = { planned: 9, failed: 1, failures };
  const blocked = { type: 'SignerRefused' as const, message: 'the bunker refuses nip44_encrypt' };
  const text = shown({ progress: progressOf({ ...counts, blocked, phase: 'holding' }) }, 1);
  expect(text).toContain('No further documents are begun. SignerRefused: the bunker refuses nip44_encrypt');
  expect(text.match(/remedy/g)).toHaveLength(1);
  expect(text).toContain('remedy: Allow nip44_encrypt');
  expect(text).toContain('Waits for a decision on 1 failed and 8 without outcome');
  expect(text).not.toContain(' left');

  const missing = { type: 'SignerNotConfigured' as const, message: 'operator op has no signer' };
  const before = shown({ progress: progressOf({ blocked: missing, phase: 'holding' }) });
  expect(before).toContain('The documents cannot be begun. SignerNotConfigured: operator op has no signer');
  expect(before.replace(/\s+/g, ' ')).toContain('republish signer add op --bunker');
  expect(before).toMatch(/^Waits for a decision$/m);
});

test('what a person gave up was to stand, and is not left to do', () => {
  const counts = { ...noCounts(), planned: 3, published: 3, skipped: 4, givenUp: 2 };
  expect(shown({ progress: progressOf(counts) })).toMatch(/ 60% {2}3 of 5, 2 given up$/m);
  const left = { ...counts, planned: 7 };
  expect(secondsLeft(statusOf({ progress: progressOf(left) }), 2)).toBe(2);
  expect(new PlainLines('op').see(statusOf({ progress: progressOf(left) }), Date.parse(NOW))).toEqual([
    expect.stringContaining('3 of 9 documents (3 published, 0 unchanged, 2 skipped, 2 given up, 0 failed)'),
  ]);
  const ended = progressOf({ ...counts, phase: 'done' });
  expect(outcomeLines(ended, 'run-1')).toEqual([
    'warning: 2 documents were given up; see: republish audit run-1',
    'warning: 2 documents were skipped: not paired yet, or without state; see: republish audit run-1',
    'complete: 3 published, 0 unchanged, 0 superseded, 2 skipped, 2 given up',
  ]);
});

test('in lines: each document once for each trouble, what blocks, and that it is over', () => {
  const lines = new PlainLines('op');
  const see = (overrides: Partial<RunStatus>, second: number): string[] =>
    lines.see(statusOf({ progress, ...overrides }), Date.parse(NOW) + second * 1_000);
  const waiting = [waits({ machineId: 'a' }), calm('b')];
  expect(see({ waiting }, 0)).toEqual([
    'waiting: bitspire-fees of machine a, for 3 min, tried 4 times: SignerTimeout: the bunker did not answer within 30 s',
    'publishing: 1 of 3 documents (1 published, 0 unchanged, 0 skipped, 0 failed); encrypted 1, signed 1, sent 1, standing 1',
  ]);
  expect(see({ waiting: [waits({ machineId: 'a', tries: 5 })] }, 1)).toEqual([]);
  const blocked = { type: 'SignerRefused' as const, message: 'the bunker refuses' };
  const [told = ''] = see({ progress: { ...progress, blocked } }, 2);
  expect(told).toMatch(
    /^No further documents are begun\. SignerRefused: the bunker refuses\. Remedy: Allow /,
  );
  expect(see({}, 3)).toEqual(['the run begins documents again']);
  const stages = { encrypted: 3, signed: 3, sent: 2, standing: 2 };
  expect(see({ stages }, 10)).toEqual([
    'publishing: 2 of 3 documents (1 published, 0 unchanged, 0 skipped, 0 failed); encrypted 3, signed 3, sent 2, standing 2',
  ]);
});

test('in lines: a document is told once for each failure type, whatever its words contain', () => {
  const lines = new PlainLines('op');
  const see = (why: string, type?: FailureType): number =>
    lines.see(statusOf({ progress: null, waiting: [waits({ why, ...(type ? { type } : {}) })] }), 0).length;
  const slow = (until: string): string => `waits for wss://relay.example, slowly: until ${until} UTC`;
  expect(see(slow('14:03:10'), 'RelayThrottled')).toBe(1);
  expect(see(slow('14:05:00'), 'RelayThrottled')).toBe(0);
  // The words before a colon are the same, the failure is another one.
  expect(see('waits for wss: the signer does not answer', 'SignerTimeout')).toBe(1);
  expect(see('signature')).toBe(1);
  expect(see('signature')).toBe(0);
});

test('in lines: what is in the way is told once, whatever its number of attempts, and that it is over', () => {
  const lines = new PlainLines('op');
  const see = (overrides: Partial<RunStatus>): string[] =>
    lines.see(statusOf({ progress: null, ...overrides }), Date.parse(NOW));
  const stuck = (attempt: number) => ({ type: 'RunStuck' as const, message: `attempt ${attempt}` });
  expect(see({ obstacle: stuck(2) })).toEqual([
    expect.stringMatching(/^RunStuck: attempt 2\. Remedy: .*republish end op\.$/),
  ]);
  expect(see({ obstacle: stuck(3) })).toEqual([]);
  expect(see({ obstacle: stuck(4), cancelRequested: true })).toEqual([
    'the cancellation waits until a worker continues the run. To end the run now, without a worker: republish end op',
  ]);
  const gone = { type: 'NoWorker' as const, message: 'nobody' };
  expect(see({ obstacle: gone, cancelRequested: true })).toEqual([
    expect.stringMatching(/^NoWorker: nobody\. /),
  ]);
  expect(see({})).toEqual(['a worker continues it']);
  expect(see({ obstacle: stuck(2) })).toHaveLength(1);
});

test('a run that has ended waits for nothing', () => {
  const text = shown({ closedAt: NOW, status: 'FAILED', waiting: [waits()] });
  expect(text).not.toContain('waiting');
  expect(text).not.toContain('encrypted');
});

test('a page whose worker was lost says so, not in the words of Temporal', () => {
  const text = shown({ retrying: [retry({ type: '', message: 'activity Heartbeat timeout' })] });
  expect(text).toContain('the worker that had it is lost');
});

test('no end is promised where all that is left is being retried or meets with trouble', () => {
  expect(shown({ inWork: [step()], waiting: [waits()] }, 1)).toContain(' left');
  expect(shown({ inWork: [step()], retrying: [retry()] }, 1)).toContain(' left');
  expect(shown({ retrying: [retry()] }, 1)).not.toContain(' left');
  expect(shown({ inWork: [step()], waiting: [waits(), waits({ machineId: 'b' })] }, 1)).not.toContain(
    ' left',
  );
});

test('whoever started a run that is partly done reads what to do about each failure', () => {
  const types = ['StateInvalid', 'SignerRefused', 'RelayRefused', 'RelayRefused'] as const;
  const failures = types.map((type, index): DocumentFailure => ({
    documentType: 'bitspire-fees',
    machineId: `m${index}`,
    type,
    message: 'why',
  }));
  const error = new RepublishFailed('RepublishIncomplete', '4 failed', {}, failures);
  const text = failureLines(error, { runId: 'run', operator: 'op', progress: null }).join('\n');
  expect(text).toContain('  bitspire-fees of machine m0: StateInvalid: why');
  expect(text).toContain(
    '  RelayRefused: why\n    bitspire-fees of machine m2\n    bitspire-fees of machine m3\n',
  );
  expect(text.match(/^remedy for RelayRefused: /gm)).toHaveLength(1);
  expect(text).toContain('remedy for SignerRefused: Allow nip44_encrypt');
});

test('a remedy names the operator that it is for', () => {
  const error = new RepublishFailed('SignerNotConfigured', 'operator op has no signer');
  const text = failureLines(error, { runId: 'run', operator: 'op', progress: null }).join('\n');
  expect(text).toContain('republish signer add op --bunker');
  expect(text).not.toContain('<operator>');
});
