import { differing, digestsOf } from '../../embedded/data-folder/worker-settings';
import { troubleIn } from '../../embedded/keep-worker';
import { run } from '../../embedded/run';

describe('what a person sees of a worker’s log', () => {
  const line = (fields: object): string => JSON.stringify({ level: 'warn', pid: 1, ...fields });

  test('nothing of what the run tells itself, nor of lines that are no trouble', () => {
    for (const msg of ['Activity failed', 'Workflow failed'])
      expect(troubleIn(line({ msg, error: { type: 'SignerTimeout', message: 'x' } }))).toBeUndefined();
    expect(troubleIn(line({ level: 'info', msg: 'worker is polling' }))).toBeUndefined();
  });

  test('of the rest the message, the type of the error and its message, on one line', () => {
    const error = { type: 'Error', message: 'it broke\nhere', stack: 'Error: it broke\n at x' };
    expect(troubleIn(line({ level: 'error', msg: 'the worker failed', err: error, runId: 'r' }))).toBe(
      'the worker failed: Error: it broke here',
    );
    expect(troubleIn(line({ msg: 'a connection broke while idle', reason: 'reset' }))).toBe(
      'a connection broke while idle: reset',
    );
  });
});

test('a command that failed gives the line that says why, not the one that says that it cleans up', async () => {
  const said = [
    'FATAL:  could not write to file "base/1/1255": No space left on device',
    'child process exited with exit code 1',
    'initdb: removing contents of data directory',
  ];
  const program = `console.error(${JSON.stringify(said.join('\n'))}); process.exit(1)`;
  const { reason } = await run(process.execPath, ['-e', program], { env: {}, timeoutMs: 10_000 });
  expect(reason).toBe(said[0]);
});

test('settings are compared by digests, which say nothing without the key', () => {
  const up = { lnbits: 'host:5432/lnbits', relays: 'wss://a/', signers: 'paired' };
  const digests = digestsOf(up, 'token');
  expect(JSON.stringify(digests)).not.toMatch(/host|wss|paired/);
  expect(digestsOf(up, 'another token')).not.toEqual(digests);
  expect(differing(up, digests, 'token')).toEqual([]);
  expect(differing({ relays: 'wss://b/', signers: 'paired', preset: 'x' }, digests, 'token')).toEqual([
    'relays',
  ]);
});
