import fc from 'fast-check';
import { clockFindings } from '../../inspection/doctor/clock';
import { apartFrom, type ClockWitness, judgeClock, MAX_APART_MS } from '../../rules/clock';

const MINUTE_MS = 60_000;
const YEAR_MS = 365 * 24 * 60 * MINUTE_MS;

/** Honest witnesses of a clock that is `aheadMs` off, each measured as well as it says. */
const honest = (aheadMs: number, least: number) =>
  fc
    .array(fc.record({ uncertaintyMs: fc.nat(2_000), error: fc.double({ min: -1, max: 1, noNaN: true }) }), {
      minLength: least,
      maxLength: 6,
    })
    .map((witnesses) =>
      witnesses.map(({ uncertaintyMs, error }, index) => ({
        name: `honest-${index}`,
        aheadMs: aheadMs + error * uncertaintyMs,
        uncertaintyMs,
      })),
    );
const farOff = fc.oneof(
  fc.integer({ min: MAX_APART_MS + 5_000, max: YEAR_MS }),
  fc.integer({ min: -YEAR_MS, max: -MAX_APART_MS - 5_000 }),
);
const anyWitness = fc.record({
  name: fc.string({ minLength: 1 }),
  aheadMs: fc.integer({ min: -YEAR_MS, max: YEAR_MS }),
  uncertaintyMs: fc.nat(5_000),
  isOwn: fc.boolean(),
});

describe('this clock, judged by others', () => {
  test('is right by those that are within a minute, however many', () => {
    const witnesses = fc
      .integer({ min: -MAX_APART_MS, max: MAX_APART_MS })
      .chain((aheadMs) => honest(aheadMs, 0));
    fc.assert(fc.property(witnesses, (all) => expect(judgeClock(all).kind).toBe('right')));
  });

  test('is wrong by two that agree, and by how much', () => {
    fc.assert(
      fc.property(
        farOff.chain((aheadMs) => fc.tuple(fc.constant(aheadMs), honest(aheadMs, 2))),
        ([aheadMs, all]) => {
          const verdict = judgeClock(all);
          expect(verdict.kind).toBe('wrong');
          expect(Math.abs((verdict as { aheadMs: number }).aheadMs - aheadMs)).toBeLessThanOrEqual(2_000);
          expect((verdict as { objecting: string[] }).objecting).toHaveLength(all.length);
        },
      ),
    );
  });

  test('is never wrong by one alone, whoever else is there to agree with it', () => {
    fc.assert(
      fc.property(honest(0, 0), farOff, fc.nat(5), (others, aheadMs, place) => {
        const liar: ClockWitness = { name: 'liar', aheadMs, uncertaintyMs: 1_000 };
        const all = [...others.slice(0, place), liar, ...others.slice(place)];
        expect(judgeClock(all)).toMatchObject({ kind: 'doubted', objecting: ['liar'] });
      }),
    );
  });

  test('two that are wrong in ways of their own say nothing; two that agree do not outvote three', () => {
    const at = (name: string, aheadMs: number): ClockWitness => ({ name, aheadMs, uncertaintyMs: 500 });
    expect(judgeClock([at('a', 10 * MINUTE_MS), at('b', -10 * MINUTE_MS)]).kind).toBe('doubted');
    expect(judgeClock([at('a', 10 * MINUTE_MS), at('b', 20 * MINUTE_MS)]).kind).toBe('doubted');
    const two = [at('a', 10 * MINUTE_MS), at('b', 10 * MINUTE_MS)];
    expect(judgeClock([...two, at('c', 0), at('d', 0)])).toMatchObject({
      kind: 'wrong',
      objecting: ['a', 'b'],
    });
    expect(judgeClock([...two, at('c', 0), at('d', 0), at('e', 0)]).kind).toBe('doubted');
  });

  test('a clock of the same machine that agrees is no evidence', () => {
    fc.assert(
      fc.property(fc.array(anyWitness), fc.nat(4), (all, own) => {
        const mine = Array.from({ length: own }, (_, index) => ({
          name: `own-${index}`,
          aheadMs: 0,
          uncertaintyMs: 1,
          isOwn: true,
        }));
        expect(judgeClock([...all, ...mine])).toEqual(judgeClock(all));
      }),
    );
  });

  test('does not depend on the order of the witnesses, and ahead is the mirror of behind', () => {
    fc.assert(
      fc.property(
        fc
          .array(anyWitness)
          .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        ([all, shuffled]) => {
          expect(judgeClock(shuffled).kind).toBe(judgeClock(all).kind);
          const mirrored = all.map((each) => ({ ...each, aheadMs: -each.aheadMs }));
          expect(judgeClock(mirrored).kind).toBe(judgeClock(all).kind);
        },
      ),
    );
  });

  test.each([
    [20 * MINUTE_MS, ['relay.a', 'relay.b'], '20 min ahead of relay.a and relay.b'],
    [-2 * MINUTE_MS, ['Postgres'], '2 min behind Postgres'],
    [-90_000, ['a', 'b', 'c'], '90 s behind a, b and c'],
    [5 * 3600_000, ['a'], '5 h ahead of a'],
    [YEAR_MS, ['a'], '365 days ahead of a'],
  ])('%i ms is told as %s', (aheadMs, names, told) => {
    expect(apartFrom(aheadMs, names)).toBe(told);
  });
});

test('relays that operators have named do not call this host wrong; each has a line of its own', () => {
  const at = (name: string, aheadMs: number): ClockWitness => ({ name, aheadMs, uncertaintyMs: 500 });
  const findings = clockFindings({
    ofPostgres: [at('Postgres', 0)],
    ofRelays: [],
    ofBunkerRelays: [at('a', YEAR_MS), at('b', YEAR_MS), at('c', YEAR_MS), at('d', 0)],
  });
  expect(findings.map(({ subject, status }) => [subject, status])).toEqual([
    ['a', 'warn'],
    ['b', 'warn'],
    ['c', 'warn'],
    ['this host', 'ok'],
  ]);
  expect(findings.at(-1)?.message).toBe('agrees with Postgres, d');
});

test('a clock that nothing was compared with is not called right', () => {
  const own: ClockWitness = { name: 'Postgres', aheadMs: 0, uncertaintyMs: 1, isOwn: true };
  for (const ofPostgres of [[], [own]])
    expect(clockFindings({ ofPostgres, ofRelays: [], ofBunkerRelays: [] })).toMatchObject([
      { subject: 'this host', status: 'unknown' },
    ]);
});
