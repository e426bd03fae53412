import {
  ensureError,
  FAILURES,
  type FailureType,
  isFailureType,
  isRetryable,
  meaningOf,
  remedyFor,
  RepublishError,
} from '../../contract/failures';

const types = Object.keys(FAILURES) as FailureType[];

describe('the catalogue of failures', () => {
  it.each(types)('%s has a meaning and a remedy, each a sentence', (type) => {
    for (const sentence of [FAILURES[type].meaning, remedyFor(type)]) {
      expect(sentence).toMatch(/^["A-Z].{15,}\.$/);
    }
  });

  it('says what to do in a run that holds wherever it says to start again', () => {
    // These either end a run, or no document of a run that holds has them.
    const isOver = (type: FailureType): boolean =>
      FAILURES[type].scope === 'caller' ||
      FAILURES[type].decidedBy === 'run' ||
      FAILURES[type].obstacle !== undefined;
    const silent = types.filter(
      (type) =>
        /start again/i.test(remedyFor(type)) &&
        !isOver(type) &&
        !/run holds|run has ended/.test(remedyFor(type)),
    );
    expect(silent).toEqual([]);
    expect(remedyFor('StateInvalid')).toContain('republish retry <operator>');
  });

  it('tells a fleet of itself: no command that it does not have, and no run', () => {
    // What a fleet itself can fail or wait for; its runs have the other failures.
    const ofFleet = types.filter((type) =>
      ['caller', 'temporal', 'worker', 'database'].includes(FAILURES[type].scope),
    );
    const told = ofFleet.flatMap((type) => [meaningOf(type, 'fleet'), remedyFor(type, 'fleet')]);
    const ofRuns = /\b[Tt]he run\b|fleet (holds|retry|skip)|republish \w+ <operator>/;
    expect(told.filter((sentence) => ofRuns.test(sentence))).toEqual([]);
    expect(remedyFor('ActivityTimeout', 'fleet')).toMatch(/Then start again\.$/);
    expect(remedyFor('Terminated', 'fleet')).toMatch(
      /^If the fleet has no audit row, write it first: republish fleet end\. /,
    );
  });

  it('tells a run of the run', () => {
    const told = types.flatMap((type) => [meaningOf(type), remedyFor(type)]);
    expect(told.filter((sentence) => /the fleet|republish fleet/.test(sentence))).toEqual([]);
    expect(remedyFor('Terminated')).toMatch(/^If the run has no audit row, write it first: republish end /);
  });

  it('retries exactly what may be otherwise the next time', () => {
    // Wire format for callers that watch a run: a change here belongs in the changelog.
    expect(types.filter(isRetryable).sort()).toEqual([
      'ClockWrong',
      'DatabaseUnavailable',
      'RelayQuorumNotReached',
      'RelayThrottled',
      'SequenceBehind',
      'SignerApprovalPending',
      'SignerBusy',
      'SignerPending',
      'SignerTimeout',
      'SignerUnreachable',
      'SourceUnavailable',
      'TemporalUnavailable',
      'Unexpected',
      'WorkerOutdated',
    ]);
  });

  it('knows its own types and nothing that objects have by birth', () => {
    expect(types.every(isFailureType)).toBe(true);
    for (const other of ['toString', '__proto__', 'constructor', '', 'signertimeout', 7, null, undefined]) {
      expect(isFailureType(other)).toBe(false);
    }
  });
});

describe('RepublishError', () => {
  it('is an Error that carries its type, and whose message fits into history', () => {
    const error = new RepublishError('SignerTimeout', 'x'.repeat(5_000));
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'RepublishError', type: 'SignerTimeout' });
    expect(error.message).toHaveLength(1_000);
    expect(new RepublishError('StateInvalid', 'short').message).toBe('short');
  });

  it.each([Number.NaN, Infinity, -1, '5s', null, Date.now() + 5_000])(
    'has no pause of %p, which would end the worker or never be over',
    (retryAfterMs) => {
      const details = { retryAfterMs: retryAfterMs as number };
      expect(new RepublishError('SignerBusy', 'busy', details).retryAfterMs).toBeUndefined();
    },
  );

  it.each([
    [0, 0],
    [0.2, 1],
    [86_400_000, 86_400_000],
  ])('has a pause of %p ms', (retryAfterMs, kept) => {
    expect(new RepublishError('SignerBusy', 'busy', { retryAfterMs }).retryAfterMs).toBe(kept);
  });
});

describe('ensureError', () => {
  it('gives back an Error as it is', () => {
    const error = new RepublishError('RelayRefused', 'no');
    expect(ensureError(error)).toBe(error);
  });

  it.each([
    ['blocked: spam', 'blocked: spam'],
    [undefined, 'undefined'],
    [7, '7'],
  ])('makes an Error of the thrown value %p', (thrown, message) => {
    expect(ensureError(thrown)).toBeInstanceOf(Error);
    expect(ensureError(thrown).message).toBe(message);
  });

  it('says what is inside an AggregateError that says nothing itself, also inside another one', () => {
    // What Node throws when neither the IPv6 nor the IPv4 address of a host answers.
    const inner = new AggregateError([new Error('connect ECONNREFUSED ::1:1'), 'a string']);
    const outer = new AggregateError([inner, new Error('connect ETIMEDOUT')]);
    expect(ensureError(outer).message).toBe('connect ECONNREFUSED ::1:1; a string; connect ETIMEDOUT');
    expect(ensureError(outer).cause).toBe(outer);
  });

  it('leaves an AggregateError with words of its own alone', () => {
    const error = new AggregateError([new Error('inner')], 'all attempts failed');
    expect(ensureError(error)).toBe(error);
  });
});
