import type { FleetSummary } from '../../contract/fleet';
import { republish } from '../support/command-line';
import { addOperators, startPatientSaga } from '../support/fleet';
import type { Saga, SagaOperator } from '../support/saga';

describe('republish fleet', () => {
  let saga: Saga;
  let operators: SagaOperator[];

  beforeAll(async () => {
    saga = await startPatientSaga();
    await saga.startWorker();
    operators = await addOperators(saga, 2);
  }, 120_000);
  afterAll(() => saga.stop());

  test('status of a fleet that was never started says how to start one', async () => {
    expect(await republish(['fleet', 'status'], saga.env)).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(
        /^error: RunNotFound: Temporal knows no fleet .*\nremedy: Check REPUBLISH_TASK_QUEUE .* Start a fleet with: republish fleet start/,
      ) as string,
    });
  });

  test('start prints the summary, names who failed and exits 3; with all complete it exits 0', async () => {
    const [first, second] = operators;
    first?.bunker.setFaults(({ method }) => (method === 'sign_event' ? { error: 'denied' } : undefined));
    const list = `${first?.id}\n\n${second?.id} # the shop at the corner\n`;
    const partly = await republish(
      ['fleet', 'start', '--from-file', '-', '--at-once', '2', '--reason', 'moved', '--json'],
      saga.env,
      list,
    );
    expect({ code: partly.code, stderr: partly.stderr }).toMatchObject({ code: 3 });
    expect(JSON.parse(partly.stdout) as FleetSummary).toMatchObject({
      operators: { complete: 1, incomplete: 1, failed: 0, cancelled: 0, notBegun: 0 },
      failures: [{ operatorUserId: first?.id, failure: { type: 'RepublishIncomplete' } }],
    });

    first?.bunker.setFaults(undefined);
    const all = await republish(['fleet', 'start', '--all'], saga.env);
    expect({ code: all.code, stderr: all.stderr }).toMatchObject({ code: 0 });
    expect(all.stdout).toMatch(/complete +2\n/);

    const status = await republish(['fleet', 'status', '--json'], saga.env);
    expect(JSON.parse(status.stdout)).toMatchObject({
      status: 'COMPLETED',
      outcome: 'complete',
      progress: { phase: 'done', planned: 2, operators: { complete: 2 } },
    });
    const audit = await republish(['fleet', 'audit', '--json'], saga.env);
    expect(JSON.parse(audit.stdout)).toMatchObject([
      { outcome: 'complete', reason: null },
      { outcome: 'incomplete', reason: 'moved', operators: { complete: 1, incomplete: 1 } },
    ]);
    const shown = await republish(['fleet', 'audit', '--limit', '2'], saga.env);
    expect(shown.stdout).toMatch(/ incomplete +1 of 2 +[0-9a-f-]+\n\nfleet .*\ncomplete, /);
    expect(shown.stdout).not.toContain('reason: moved');
    const full = await republish(['fleet', 'audit', '--limit', '2', '--full'], saga.env);
    expect(full.stdout).toMatch(/reason: moved.*RepublishIncomplete.*\ncomplete, /s);
    const ended = await republish(['fleet', 'pause'], saga.env);
    expect(ended).toMatchObject({ code: 1, stdout: '' });
    expect(ended.stderr).toContain('has ended');
  }, 180_000);

  test('says whom it needs, and what is wrong with what was said', async () => {
    const said = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await republish(['fleet', 'start', ...args], saga.env);
      return `${code} ${stderr}`;
    };
    expect(await said()).toMatch(/^2 .*name operators, a file with --from-file, or --all/s);
    expect(await said('x', '--all')).toMatch(/^2 .*either operators or --all/s);
    expect(await said('--from-file', '/nowhere/operators.txt')).toMatch(/^2 .*cannot be read/s);
    expect(await said('x', '--at-once', 'many')).toMatch(/^2 .*from 1 to 200/s);
    const { stdout } = await republish(['fleet', 'start', '--help']);
    expect(stdout).toMatch(/^Example: republish fleet start 8f3c2b 11aa90/);
  }, 60_000);
});
