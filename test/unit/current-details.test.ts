import { currentDetails } from '../../workflows/current-details';
import { progressOf } from '../support/progress';

/** What GitHub's Markdown, which the UI speaks, makes a link of without being asked to, escaped or not. */
const LINKS_ITSELF = /(?:https?:\/\/|www\.)[-.\w]+|[-.\w+]+@[-\w]+\.[-.\w]+/i;

test.each([
  'Approve here: https://bunker.example.com/approve',
  'HTTP://evil.example',
  'www.evil.example/approve',
  'write to help@evil.example',
  '<https://evil.example>',
  '[Approve here](https://evil.example)',
  '&lt;b&gt;',
])('what a stranger says is no link in the details of a run: %s', (message) => {
  const failures = [{ documentType: 't', machineId: 'm', type: 'RelayRefused' as const, message }];
  const paused = { action: 'pause' as const, at: '', by: message, reason: message };
  const details = currentDetails(progressOf({ failed: 1, failures, paused }), 'op');
  const words = details.split('\n').filter((text) => /^- t of machine|^\*\*Paused/.test(text));
  expect(words).toHaveLength(2);
  for (const text of words) {
    expect(text).not.toMatch(LINKS_ITSELF);
    expect(text).not.toMatch(/(?<!\\)[<[&]/);
  }
});

test('the page of an approval is a link, and nothing in it ends it', () => {
  const details = currentDetails(progressOf({ approvals: ['https://b.example/a?b=1> **x** <c'] }), 'op');
  expect(details).toContain('Approve here: <https://b.example/a?b=1**x**c>');
});

test('an operator id is one word of a shell, on one line', () => {
  const details = currentDetails(progressOf({ phase: 'done' }), "a'; rm `x` #");
  expect(details).toContain("republish audit 'a'\\''; rm x #'");
});

test('a run that is slow is seen to move, and what waits is named with its reason', () => {
  const waiting = Array.from({ length: 12 }, (_, index) => ({
    documentType: 'fees',
    machineId: `m${index}`,
    why: 'signature',
    ...(index === 0 ? { since: '2026-11-27T12:00:00.000Z', tries: 3 } : {}),
  }));
  const stages = { encrypted: 40, signed: 30, sent: 20, standing: 10 };
  const details = currentDetails(
    progressOf({ planned: 100, published: 10, open: 90, stages, waiting }),
    'op',
  );
  expect(details).toContain('**publishing**: 10 of 100 documents (10 %)');
  expect(details).toContain('Open: 90. So far 40 encrypted, 30 signed, 20 sent, 10 standing.');
  expect(details).toContain(
    '- fees of machine m0 waits: signature (3 failed tries since 2026-11-27T12:00:00.000Z)',
  );
  expect(details).toMatch(/- fees of machine m9 waits: signature\n- and 2 more/);
});

it('counts what a person gave up to what was to stand', () => {
  const details = currentDetails(
    progressOf({ phase: 'done', planned: 3, published: 3, skipped: 4, givenUp: 2 }),
    'op',
  );
  expect(details).toContain('**done**: 3 of 5 documents (60 %), 2 given up');
});

test.each([
  ['publishing', 'No further documents are begun'],
  ['holding', 'The run does not continue'],
  ['done', 'The run ended'],
] as const)('why a run is blocked is said with the remedy: %s', (phase, what) => {
  const blocked = { type: 'SignerUnreachable' as const, message: 'see https://evil.example' };
  const details = currentDetails(progressOf({ phase, blocked, planned: 6, failed: 3, open: 3 }), 'op');
  expect(details).toContain(`**${what}, because of SignerUnreachable**: see https:`);
  expect(details).not.toMatch(LINKS_ITSELF);
  expect(details).toContain("Remedy for SignerUnreachable: Check the bunker's relays");
  expect(details.includes('**Waits for a decision** on 3 failed and 3 open')).toBe(phase === 'holding');
});

test('a run that could not load its machines offers no skip', () => {
  const blocked = { type: 'OperatorNotFound' as const, message: 'no account' };
  const details = currentDetails(progressOf({ phase: 'holding', blocked }), 'op');
  expect(details).toContain(
    '**Waits for a decision**: `republish retry op` tries again, `republish cancel op`',
  );
});
