import { runView } from '../../client/cli/run-view/view';
import { failureLines } from '../../client/cli/run-view/outcome';
import { paint } from '../../client/cli/terminal/paint';
import { RepublishFailed } from '../../client/errors';
import type { Retry, RunStatus } from '../../client/run-status';
import type { DocumentFailure } from '../../contract/failures';
import { noCounts } from '../../contract/progress';
import { progressOf } from '../support/progress';

const COLUMNS = 80;

const progress = progressOf({
  planned: 3,
  published: 1,
  documentTypes: { 'bitspire-fees': { ...noCounts(), planned: 3, published: 1 } },
});

function retry(overrides: Partial<Retry> = {}): Retry {
  return {
    activity: 'republishDocument',
    documentType: 'bitspire-fees',
    machineId: '3c9e9fa2-6f0d-4f31-9d6b-3f1a26b1a0aa',
    attempt: 3,
    maxAttempts: 10,
    type: 'RelayQuorumNotReached',
    message:
      '1 of the 2 required relays hold the document; wss://one.example.com: connect ECONNREFUSED; wss://two.example.com: blocked: not on the list',
    nextAttemptAt: null,
    ...overrides,
  };
}

function shown(overrides: Partial<RunStatus>, perSecond?: number, isBrief = false): string {
  const status: RunStatus = {
    workflowId: 'w',
    runId: 'run',
    status: 'RUNNING',
    startedAt: '2026-01-01T00:00:00.000Z',
    closedAt: null,
    taskQueue: 'republish-operator-configs',
    progress,
    approvals: [],
    retrying: [],
    unreachableSince: null,
    ...overrides,
  };
  return runView(status, 'op', { columns: COLUMNS, nowMs: Date.now(), maxListed: 8, perSecond, isBrief })
    .map((line) => paint(line, COLUMNS - 1, false))
    .join('\n');
}

test('what somebody has to mend is never cut off: the last relay of a reason, the attempt, the word worker', () => {
  const text = shown({ retrying: [retry()] });
  expect(text).not.toContain('…');
  expect(text).toContain('attempt 3 of 10, in work');
  expect(text.replace(/\s+/g, ' ')).toContain('wss://two.example.com: blocked: not on the list');

  const alone = shown({ progress: null });
  expect(alone).not.toContain('…');
  expect(alone.replace(/\s+/g, ' ')).toContain('is republish worker running,');
});

test('documents that lack the same relay share the reason; a small screen has it on one line', () => {
  const others = [retry(), retry({ machineId: 'b' }), retry({ machineId: 'c' })];
  const text = shown({ retrying: others });
  expect(text.match(/RelayQuorumNotReached/g)).toHaveLength(1);
  expect(text.indexOf('machine c')).toBeLessThan(text.indexOf('RelayQuorumNotReached'));
  const brief = shown({ retrying: others }, undefined, true).split('\n');
  expect(brief.filter((line) => line.startsWith('    Relay'))).toHaveLength(1);
  expect(brief.at(-1)).toMatch(/^ {4}RelayQuorumNotReached: .*…$/);
});

test('a document whose worker was lost says so, not in the words of Temporal', () => {
  const text = shown({ retrying: [retry({ type: '', message: 'activity Heartbeat timeout' })] });
  expect(text).toContain('the worker that had it is lost');
});

test('no end is promised where all that is left is being retried', () => {
  expect(shown({ retrying: [retry()] }, 1)).toContain(' left');
  expect(shown({ retrying: [retry(), retry()] }, 1)).not.toContain(' left');
});

test('whoever started a run that is partly done reads what to do about each failure', () => {
  const types = ['StateInvalid', 'SignerRefused', 'RelayRefused', 'RelayRefused'] as const;
  const failures = types.map((type, index): DocumentFailure => ({
    documentType: 'bitspire-fees',
    machineId: `m${index}`,
    type,
    message: `bitspire-fees of machine m${index}: why`,
  }));
  const error = new RepublishFailed('RepublishIncomplete', '4 failed', {}, failures);
  const text = failureLines(error, 'run', 'op').join('\n');
  expect(text).toContain('  bitspire-fees of machine m0: StateInvalid: why');
  expect(text).toContain(
    '  RelayRefused: why\n    bitspire-fees of machine m2\n    bitspire-fees of machine m3\n',
  );
  expect(text.match(/^remedy for RelayRefused: /gm)).toHaveLength(1);
  expect(text).toContain('remedy for SignerRefused: Allow nip44_encrypt');
});

test('a remedy names the operator that it is for', () => {
  const error = new RepublishFailed('SignerNotConfigured', 'operator op has no signer');
  const text = failureLines(error, 'run', 'op').join('\n');
  expect(text).toContain('republish signer add op --bunker');
  expect(text).not.toContain('<operator>');
});
