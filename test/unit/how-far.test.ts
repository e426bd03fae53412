import fc from 'fast-check';
import { howFar, howFarOfFleet } from '../../rules/how-far';
import { noCounts, OUTCOMES } from '../../contract/progress';
import { progressOf } from '../support/progress';

test('done is what stands; what was skipped was never to stand', () => {
  const counts = { planned: 6, published: 1, unchanged: 1, superseded: 1, skipped: 4, givenUp: 0, failed: 1 };
  expect(howFar(counts)).toEqual({ done: 3, of: 6, percent: 50 });
  // Of an audit, which has no plan beside its outcomes.
  const { planned: _, ...outcomes } = counts;
  expect(howFar(outcomes)).toEqual({ done: 3, of: 4, percent: 75 });
});

test('what a person gave up was to stand', () => {
  const counts = { planned: 3, published: 3, unchanged: 0, superseded: 0, skipped: 4, givenUp: 2, failed: 0 };
  expect(howFar(counts)).toEqual({ done: 3, of: 5, percent: 60 });
  // Another program may have brought it there all the same: that is not what the run has done.
  const stages = { encrypted: 5, standing: 5 };
  expect(howFar({ ...counts, stages })).toEqual({ done: 3, of: 5, percent: 60 });
});

test('a run that was cancelled is not at 100 %, though every document has its outcome', () => {
  const cancelled = progressOf({ phase: 'done', planned: 10, published: 3, failed: 7, open: 0 });
  expect(howFar(cancelled)).toEqual({ done: 3, of: 10, percent: 30 });
});

test('nearly all is not all', () => {
  expect(howFar({ ...noCounts(), planned: 1000, published: 999 }).percent).toBe(99);
});

test('there is no percentage of what was not begun, nor of a plan that is being made', () => {
  expect(howFar(noCounts())).toEqual({ done: 0, of: 0 });
  const failedFirst = progressOf({ phase: 'done', planned: 10, failed: 10, open: 0 });
  expect(howFar(failedFirst)).toEqual({ done: 0, of: 10 });
  expect(howFar(progressOf({ phase: 'loading machines', planned: 40 }))).toEqual({ done: 0, of: 40 });
  // One that had sealed something was begun.
  const stages = { encrypted: 1, signed: 0, sent: 0, standing: 0 };
  expect(howFar({ ...failedFirst, stages })).toEqual({ done: 0, of: 10, percent: 0 });
  expect(howFar(progressOf({ planned: 10 }))).toEqual({ done: 0, of: 10, percent: 0 });
});

test('what pages in work have told counts; what failed, or was skipped and stands, does not', () => {
  const known = progressOf({ planned: 100, published: 10, failed: 2 });
  const with_ = (standing: number) => howFar({ ...known, stages: { ...known.stages, standing } });
  expect(with_(30)).toEqual({ done: 30, of: 100, percent: 30 });
  expect(with_(5)).toEqual({ done: 10, of: 100, percent: 10 });
  expect(with_(101)).toEqual({ done: 98, of: 100, percent: 98 });
});

test('at 100 % exactly where all that was to stand stands, whatever the counts are', () => {
  const counts = fc.record(
    Object.fromEntries(OUTCOMES.map((outcome) => [outcome, fc.nat(20)])) as {
      [outcome in (typeof OUTCOMES)[number]]: fc.Arbitrary<number>;
    },
  );
  fc.assert(
    fc.property(counts, fc.nat(20), fc.nat(20), fc.nat(80), (outcomes, open, givenUp, standing) => {
      const good = outcomes.published + outcomes.unchanged + outcomes.superseded;
      const planned = good + outcomes.failed + open;
      const stages = { encrypted: 0, standing };
      const { done, of, percent } = howFar({ ...outcomes, planned, givenUp, stages });
      expect(of).toBe(planned + givenUp);
      expect(done).toBeGreaterThanOrEqual(good);
      expect(done).toBeLessThanOrEqual(planned - outcomes.failed);
      expect(percent === 100).toBe(of > 0 && done === of);
    }),
  );
});

test('done of a fleet are the operators whose documents all stand', () => {
  const operators = { complete: 3, incomplete: 2, failed: 1, cancelled: 6 };
  expect(howFarOfFleet({ planned: 12, operators })).toEqual({ done: 3, of: 12, percent: 25 });
  const none = { complete: 0, incomplete: 0, failed: 0, cancelled: 0 };
  expect(howFarOfFleet({ planned: 0, operators: none })).toEqual({ done: 0, of: 0 });
});
