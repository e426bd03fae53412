import type { SpeakToRunsInput, SpeakToRunsResult } from '../../contract/fleet-activities';
import { type InWork, RunsInWork } from '../../workflows/fleet/runs-in-work';

/** Two runs, and answers to the controls that a test gives. */
function runsOf(...operators: string[]) {
  const asked: SpeakToRunsInput[] = [];
  const answers: ((result: SpeakToRunsResult | Error) => void)[] = [];
  const runs = new RunsInWork((input) => {
    asked.push(input);
    return new Promise((resolve, reject) =>
      answers.push((result) => (result instanceof Error ? reject(result) : resolve(result))),
    );
  });
  for (const operatorUserId of operators) {
    const inWork: InWork = { paused: false, run: { operatorUserId, runId: `run of ${operatorUserId}` } };
    runs.add(operatorUserId, inWork);
  }
  const paused = (): string[] =>
    runs.all.flatMap(({ paused, run }) => (paused ? (run?.operatorUserId ?? '') : []));
  /** Sends a control as a fleet does, and answers it. */
  const control = async (action: 'pause' | 'resume', result: Partial<SpeakToRunsResult> | Error) => {
    const controlled = runs.control(action, {}, (each) => action !== 'resume' || each.paused);
    // A control waits for the one before it.
    await new Promise((resolve) => setImmediate(resolve));
    answers.shift()?.(result instanceof Error ? result : { taken: [], unanswered: [], ...result });
    return controlled;
  };
  return { runs, asked, paused, control };
}

describe('the runs of a fleet', () => {
  it('that take a pause are resumed', async () => {
    const { paused, control, asked } = runsOf('a', 'b');
    expect(await control('pause', { taken: ['a', 'b'] })).toEqual({ operators: 2 });
    expect(paused()).toEqual(['a', 'b']);
    expect(await control('resume', { taken: ['a', 'b'] })).toEqual({ operators: 2 });
    expect(asked[1]?.runs.map(({ operatorUserId }) => operatorUserId)).toEqual(['a', 'b']);
    expect(paused()).toEqual([]);
  });

  it('that a person paused before are not those that the fleet paused', async () => {
    const { paused, control, asked } = runsOf('a', 'b');
    await control('pause', { taken: ['b'] });
    expect(paused()).toEqual(['b']);
    await control('resume', { taken: ['b'] });
    expect(asked[1]?.runs.map(({ operatorUserId }) => operatorUserId)).toEqual(['b']);
  });

  it('that do not answer a pause may be paused, and are resumed', async () => {
    const { paused, control } = runsOf('a', 'b');
    expect(await control('pause', { taken: ['a'], unanswered: ['b'] })).toEqual({
      operators: 1,
      unanswered: ['b'],
    });
    expect(paused()).toEqual(['a', 'b']);
  });

  it('that did not answer a resume, and refuse the next pause, are still those that the fleet paused', async () => {
    const { paused, control } = runsOf('a');
    await control('pause', { taken: ['a'] });
    await control('resume', { unanswered: ['a'] });
    expect(paused()).toEqual(['a']);
    await control('pause', {});
    expect(paused()).toEqual(['a']);
  });

  it('that refuse a resume are not paused: a person has resumed them', async () => {
    const { paused, control, asked } = runsOf('a');
    await control('pause', { taken: ['a'] });
    await control('resume', {});
    expect(paused()).toEqual([]);
    expect(await control('resume', {})).toEqual({ operators: 0 });
    expect(asked).toHaveLength(2);
  });

  it('may be paused where the answer was lost for good', async () => {
    const { paused, control } = runsOf('a');
    await expect(control('pause', new Error('lost'))).rejects.toThrow('lost');
    expect(paused()).toEqual(['a']);
  });

  it('are idle only when every control has ended, also one that failed', async () => {
    const { runs, control } = runsOf('a');
    expect(runs.isIdle).toBe(true);
    const pausing = control('pause', new Error('lost'));
    expect(runs.isIdle).toBe(false);
    await expect(pausing).rejects.toThrow('lost');
    await new Promise((resolve) => setImmediate(resolve));
    expect(runs.isIdle).toBe(true);
  });
});
