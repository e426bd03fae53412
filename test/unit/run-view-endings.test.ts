import { setDataFolder, completeCommands } from '../../client/cli/command-lines';
import { endedOn, failureLines } from '../../client/cli/run-view/outcome';
import { PlainLines } from '../../client/cli/run-view/plain-lines';
import { runView } from '../../client/cli/run-view/view';
import { paint } from '../../client/cli/terminal/paint';
import { RepublishFailed } from '../../client/errors';
import { type DocumentFailure, traitsOf } from '../../contract/failures';
import { noCounts, type Progress } from '../../contract/progress';
import { currentDetails } from '../../workflows/current-details';
import { progressOf } from '../support/progress';
import { statusOf } from '../support/run-status';

const ended = {
  startedAt: '2026-01-01T02:56:00.000Z',
  closedAt: '2026-01-01T03:00:00.000Z',
};

function failures(count: number, failure: Partial<DocumentFailure>): DocumentFailure[] {
  return Array.from({ length: count }, (_, index) => ({
    documentType: index % 2 === 0 ? 'bitspire-fees' : 'bitspire-cassettes',
    machineId: `m${index >> 1}`,
    machineName: `Kiosk ${index >> 1}`,
    type: 'NotAttempted',
    message: 'the run ended before the document was begun',
    ...failure,
  }));
}

const counts = { ...noCounts(), planned: 5, failed: 5 };
/** It ended on its signer, before any document. */
const silent = { type: 'SignerTimeout' as const, message: 'the bunker did not answer within 30 s' };
const onSigner = progressOf({
  ...{ phase: 'done', planned: 10, failed: 10, open: 0, blocked: silent, failures: failures(10, {}) },
  documentTypes: { 'bitspire-cassettes': counts, 'bitspire-fees': counts },
});
const timeout = new RepublishFailed('SignerTimeout', silent.message, {}, failures(10, {}));

function shown(progress: Progress, error: RepublishFailed, columns = 80): string[] {
  const { type, message, remedy } = error;
  const outcome = traitsOf(type).runOutcome ?? 'failed';
  const status = statusOf({ ...ended, outcome, progress });
  const options = { columns, nowMs: Date.parse(ended.closedAt), maxListed: 20 };
  const view = runView(status, 'op-7', {
    ...options,
    ended: endedOn({ type, message, remedy }, { progress, operator: 'op-7' }),
  });
  return view.map((line) => paint(line, columns - 1, false));
}

test('status of a run that ended on its signer: that first, with its remedy, then how many were not attempted', () => {
  expect(shown(onSigner, timeout).map((text) => text.trimEnd())).toEqual([
    'op-7  failed  after 4 min  run run',
    '',
    'SignerTimeout: the bunker did not answer within 30 s',
    'remedy: Check that the bunker is running and online',
    '  (republish signer check op-7), and whether a person must approve in it. If',
    '  the bunker has forgotten this client, pair it again with a new URI:',
    '  republish signer add op-7 --bunker. Then start again, or if the run holds:',
    '  republish retry op-7.',
    '',
    '0 of 10',
    '',
    'document type       planned  published  unchanged  superseded  skipped  failed',
    'bitspire-cassettes        5          0          0           0        0       5',
    'bitspire-fees             5          0          0           0        0       5',
    'total                    10          0          0           0        0      10',
    '',
    'failed 10',
    '  10 documents were not attempted',
  ]);
  const wide = shown(onSigner, timeout, 200);
  expect(wide.filter((text) => text.startsWith('remedy: '))).toHaveLength(1);
  expect(wide.join('\n')).not.toContain('%');
});

test('what to do has a line of its own', () => {
  const remedy =
    'Check the operator user id (accounts.id in LNbits) and LNBITS_DATABASE_URL and "queries.account".';
  const error = new RepublishFailed('OperatorNotFound', 'no account with id op');
  expect(failureLines(error, { runId: 'run', operator: 'op', progress: null })).toEqual([
    'error: OperatorNotFound: no account with id op',
    `remedy: ${remedy}`,
  ]);
});

test('start of such a run says it once, and names no document that nobody began', () => {
  const lines = failureLines(timeout, { runId: 'run', operator: 'op-7', progress: onSigner });
  expect(lines).toEqual([
    'error: SignerTimeout: the bunker did not answer within 30 s',
    expect.stringMatching(
      /^remedy: .*republish signer check op-7\).*republish signer add op-7 --bunker\. Then .*retry op-7\.$/,
    ),
    '10 documents were not attempted',
    '0 of 10 documents stand',
  ]);
});

test('so do lines for a log, and the Temporal UI', () => {
  const lines = new PlainLines('op-7').see(statusOf({ progress: onSigner }), 0);
  expect(lines.filter((text) => /attempted|failed:/.test(text))).toEqual(['10 documents were not attempted']);
  const details = currentDetails(onSigner, 'op-7');
  expect(details.split('\n\n').slice(0, 3)).toEqual([
    '**done**: 0 of 10 documents, 10 failed',
    '**The run ended, because of SignerTimeout**: the bunker did not answer within 30 s',
    expect.stringMatching(/^Remedy for SignerTimeout: .*`?republish signer check op-7/),
  ]);
  expect(details).toContain('**Failed: 10**\n\n- 10 documents were not attempted\n\n');
  expect(details).not.toContain('<operator>');
  expect(details.match(/Remedy for/g)).toHaveLength(1);
});

test('a cause that all documents share comes before what is wrong with one of them', () => {
  const refused = { type: 'SignerRefused' as const, message: 'the bunker refuses nip44_encrypt' };
  const [bad] = failures(1, { type: 'StateInvalid', message: 'fee: too high' });
  const others = failures(6, refused).slice(2);
  const progress = progressOf({
    ...{ phase: 'done', planned: 10, published: 1, failed: 9, open: 0, blocked: refused },
    failures: [bad as DocumentFailure, ...others, ...failures(10, {}).slice(6)],
    documentTypes: { 'bitspire-cassettes': counts, 'bitspire-fees': counts },
  });
  const error = new RepublishFailed('RepublishIncomplete', 'long', {}, progress.failures);
  const lines = failureLines(error, { runId: 'run', operator: 'op-7', progress });
  expect(lines).toEqual([
    'error: RepublishIncomplete: 9 documents could not be republished:',
    '  SignerRefused: the bunker refuses nip44_encrypt',
    ...['m1', 'm2'].flatMap((id) =>
      ['bitspire-cassettes', 'bitspire-fees'].map(
        (type) => `    ${type} of machine Kiosk ${id.slice(1)} (${id})`,
      ),
    ),
    '  bitspire-fees of machine Kiosk 0 (m0): StateInvalid: fee: too high',
    '  4 documents were not attempted',
    expect.stringMatching(/^remedy for SignerRefused: /),
    expect.stringMatching(/^remedy for StateInvalid: /),
    expect.stringMatching(/^remedy: /),
  ]);
  const view = shown(progress, error);
  expect(view[2]).toBe('SignerRefused: the bunker refuses nip44_encrypt');
  expect(view[3]).toMatch(/^remedy: Allow nip44_encrypt/);
  expect(view.join('\n')).toMatch(/10% {2}1 of 10/);
});

test('a run that was cancelled says how much of it stands', () => {
  const progress = progressOf({
    ...{ phase: 'done', planned: 10, published: 3, failed: 7, open: 0, failures: failures(7, {}) },
  });
  const error = new RepublishFailed('Cancelled', 'the run was cancelled');
  expect(failureLines(error, { runId: 'run', operator: 'op', progress })).toEqual([
    'error: Cancelled: the run was cancelled',
    'remedy: Start again: only what is missing is done.',
    '7 documents were not attempted',
    '3 of 10 documents stand',
  ]);
  expect(shown(progress, error).join('\n')).toMatch(/30% {2}3 of 10/);
});

test('a run that nobody can be asked about any more: its outcome, and where its counts are', () => {
  const status = statusOf({ ...ended, outcome: 'failed' });
  const options = { columns: 80, nowMs: Date.parse(ended.closedAt), maxListed: 20 };
  expect(runView(status, 'op-7', options).map((line) => paint(line, 79, false).trimEnd())).toEqual([
    'op-7  failed  after 4 min  run run',
    '',
    'Its counts are in the audit: republish audit op-7',
  ]);
});

test('a run that was paused when it ended is not shown as paused', () => {
  const progress = progressOf({ paused: { action: 'pause', at: ended.startedAt } });
  expect(shown(progress, new RepublishFailed('Cancelled', 'the run was cancelled'))[0]).toMatch(
    /^op-7 {2}cancelled {2}/,
  );
});

test('a fleet of failures is cut, and says by how much', () => {
  const many = failures(40, { type: 'RelayRefused', message: 'wss://relay.example.com: blocked' });
  const error = new RepublishFailed('RepublishIncomplete', '', {}, many, 90);
  const lines = failureLines(error, { runId: 'run', operator: 'op', progress: null });
  expect(lines[1]).toBe('  RelayRefused: wss://relay.example.com: blocked');
  expect(lines[12]).toBe('    and 30 more');
  expect(lines[13]).toBe('  and 50 more; see: republish audit run');
});

// The last one: the folder stays named.
test('a remedy of a command on a data folder is for that folder, once', () => {
  setDataFolder('/srv/my data');
  const told =
    'Is it there (republish signer check <operator>)? republish signer add <operator> --bunker; republish doctor.';
  const named =
    "Is it there (republish signer check op --data '/srv/my data')? republish signer add op --data '/srv/my data' --bunker; republish doctor --data '/srv/my data'.";
  expect(completeCommands(told, 'op')).toBe(named);
  expect(completeCommands(named, 'op')).toBe(named);
  expect(completeCommands(told, undefined)).toBe(told.replace('doctor', "doctor --data '/srv/my data'"));
  expect(completeCommands('See: republish fleet status. Or: republish fleet end --yes', undefined)).toBe(
    "See: republish fleet status --data '/srv/my data'. Or: republish fleet end --data '/srv/my data' --yes",
  );
  const error = new RepublishFailed('SignerNotConfigured', 'operator op has no signer');
  expect(failureLines(error, { runId: 'run', operator: 'op', progress: null })[1]).toContain(
    "republish signer add op --data '/srv/my data' --bunker",
  );
});
