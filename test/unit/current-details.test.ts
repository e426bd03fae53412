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
