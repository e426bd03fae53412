import fc from 'fast-check';
import {
  expectedMs,
  LEAST_SIGNATURES,
  looksApproved,
  msBetweenSignatures,
  speedOfTrial,
} from '../../rules/signer-speed';

const ms = (max: number) => fc.integer({ min: 1, max });

describe('speedOfTrial', () => {
  it('is one after the other where it was not tried otherwise, or nothing was won', () => {
    expect(speedOfTrial({ encryptMs: 5_000, signMs: 5_000 })).toEqual({
      msPerDocument: 10_000,
      atMost: false,
    });
    const serial = { encryptMs: 250, signMs: 250, together: { requests: 4, tookMs: 1_000 } };
    expect(speedOfTrial(serial)).toEqual({ msPerDocument: 500, atMost: false });
  });

  it('is a ceiling where all four at once took as long as one', () => {
    const parallel = { encryptMs: 100, signMs: 100, together: { requests: 4, tookMs: 100 } };
    expect(speedOfTrial(parallel)).toEqual({ msPerDocument: 50, atMost: true });
  });

  it('never is less than nothing, nor more than one after the other', () => {
    fc.assert(
      fc.property(ms(20_000), ms(20_000), ms(60_000), (encryptMs, signMs, tookMs) => {
        const { msPerDocument } = speedOfTrial({ encryptMs, signMs, together: { requests: 4, tookMs } });
        return msPerDocument > 0 && msPerDocument <= encryptMs + signMs;
      }),
    );
  });
});

describe('msBetweenSignatures', () => {
  const at = (gaps: number[]): number[] => gaps.reduce((all, gap) => [...all, (all.at(-1) ?? 0) + gap], [0]);
  const gapsOf = (max: number) => fc.array(fc.integer({ min: 0, max }), { minLength: 3, maxLength: 50 });

  it('is not known of fewer than four', () => {
    fc.assert(
      fc.property(fc.array(ms(1_000_000), { maxLength: 8 }), (signedAtMs) => {
        return (msBetweenSignatures(signedAtMs) === undefined) === signedAtMs.length < LEAST_SIGNATURES;
      }),
    );
  });

  it('is the mean where nobody paused, in whatever order they come', () => {
    fc.assert(
      fc.property(gapsOf(5_000), (gaps) => {
        const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
        expect(msBetweenSignatures(at(gaps).toReversed())).toBeCloseTo(Math.max(1, mean), 6);
      }),
    );
  });

  it('does not count an hour in which it stood still', () => {
    fc.assert(
      fc.property(gapsOf(5_000), (gaps) => {
        expect(msBetweenSignatures(at([3_600_000, ...gaps]))).toBe(msBetweenSignatures(at(gaps)));
      }),
    );
  });

  it('counts what a serial bunker of 5 s takes: the plan is right within a factor of two', () => {
    // Two in flight: an encryption lies between two signatures, or two of them, or none.
    const estimate = expectedMs(12, {
      msPerDocument: msBetweenSignatures(at([5_000, 15_000, 10_000, 5_000, 15_000])) ?? 0,
    });
    expect(estimate).toBe(130_000);
  });
});

describe('looksApproved', () => {
  it.each<[string, number[], boolean]>([
    ['a quick one', [100, 120, 90], false],
    ['a slow one', [5_000, 5_100, 10_000], false],
    ['one that a person has approved', [100, 12_000, 90], true],
    ['one that was a little late', [10, 900, 12], false],
  ])('%s: %j', (_, tookMs, expected) => {
    expect(looksApproved(tookMs)).toBe(expected);
  });
});
