import { patientPauseMs } from '../../activities/steps/patience';

const HALF_AN_HOUR_MS = 30 * 60_000;
const LIMITS = {
  documentTimeoutMs: HALF_AN_HOUR_MS,
  maxAttempts: 10,
  initialRetryIntervalMs: 1_000,
  maxRetryIntervalMs: 30_000,
};

function pauses(limits: typeof LIMITS): number[] {
  return Array.from({ length: limits.maxAttempts - 1 }, (_, index) => patientPauseMs(limits, index + 1));
}

test('ten attempts last for most of half an hour, the first soon after one another', () => {
  expect(pauses(LIMITS).map((ms) => ms / 1_000)).toEqual([30, 60, 90, 120, 150, 180, 210, 240, 270]);
});

test.each([
  [2, HALF_AN_HOUR_MS],
  [5, 60_000],
  [30, HALF_AN_HOUR_MS],
])(
  '%i attempts in %i ms fill most of that time, and leave some for themselves',
  (maxAttempts, documentTimeoutMs) => {
    const sumMs = pauses({ ...LIMITS, maxAttempts, documentTimeoutMs }).reduce((sum, ms) => sum + ms, 0);
    expect(sumMs / documentTimeoutMs).toBeGreaterThan(0.7);
    expect(sumMs / documentTimeoutMs).toBeLessThan(0.8);
  },
);

test('no pause is shorter than the usual one', () => {
  const many = pauses({ ...LIMITS, maxAttempts: 1_000 });
  expect(many.slice(0, 6)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000]);
  expect(Math.min(...many.slice(5))).toBe(30_000);
  expect(patientPauseMs({ ...LIMITS, maxAttempts: 1 }, 1)).toBeGreaterThanOrEqual(1_000);
});
