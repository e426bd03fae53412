import fc from 'fast-check';
import { Pace } from '../../rules/pace';

const MINUTE_MS = 60_000;
const FIRST_MS = 1_000;

const newPace = (): Pace =>
  new Pace({
    refused: 2,
    passed: 0.6,
    margin: 1 / 0.85,
    carefully: (intervalMs) => intervalMs * 0.85,
    maxIntervalMs: 2 * MINUTE_MS,
    minIntervalMs: 100,
  });

/** khatru: after the burst each tick adds tokens, and a refusal costs nothing. */
class Ticking {
  #used = 0;
  #ticks = 0;

  constructor(
    readonly burst: number,
    readonly perTick: number,
    readonly everyMs: number,
  ) {}

  takes(nowMs: number): boolean {
    const ticks = Math.floor(nowMs / this.everyMs);
    this.#used = Math.max(0, this.#used - (ticks - this.#ticks) * this.perTick);
    this.#ticks = ticks;
    if (this.#used >= this.burst) return false;
    this.#used += 1;
    return true;
  }
}

/** A bucket that fills by and by. */
class Dripping {
  #tokens: number;
  #atMs = 0;

  constructor(
    readonly burst: number,
    readonly everyMs: number,
  ) {
    this.#tokens = burst;
  }

  takes(nowMs: number): boolean {
    this.#tokens = Math.min(this.burst, this.#tokens + (nowMs - this.#atMs) / this.everyMs);
    this.#atMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

type Taker = { takes(nowMs: number): boolean };

/**
 * Virtual time: one after the other, as early as the pace lets them. @returns when each went through, and
 * the refusals
 */
function bring(
  things: number,
  taker: Taker,
  pace = newPace(),
  fromMs = 0,
): { atMs: number[]; refusals: number } {
  const atMs: number[] = [];
  let refusals = 0;
  for (let nowMs = fromMs; atMs.length < things && nowMs < fromMs + 24 * 60 * MINUTE_MS;) {
    const placeMs = pace.reserve(nowMs, 0);
    if (placeMs === undefined) {
      nowMs = pace.now(nowMs).untilMs;
      continue;
    }
    if (taker.takes(nowMs)) {
      pace.passed(nowMs);
      atMs.push(nowMs);
    } else {
      pace.refused(nowMs, nowMs, FIRST_MS);
      refusals += 1;
    }
    nowMs += 1;
  }
  return { atMs, refusals };
}

describe('a pace', () => {
  it('brings 24 documents to a relay that takes 2 in 3 minutes after a burst of 10, in not much more than the 21 minutes that takes', () => {
    for (const taker of [new Ticking(10, 2, 3 * MINUTE_MS), new Dripping(10, 1.5 * MINUTE_MS)]) {
      const { atMs, refusals } = bring(24, taker);
      expect(atMs).toHaveLength(24);
      expect(atMs[9]).toBeLessThan(1_000);
      expect(atMs[23]).toBeLessThan(30 * MINUTE_MS);
      expect(refusals).toBeLessThan(24);
    }
  });

  it('brings everything through whatever limit, loses little of the rate, and is refused less often than taken', () => {
    const limits = fc.record({
      burst: fc.integer({ min: 1, max: 60 }),
      everyMs: fc.integer({ min: 200, max: 2 * MINUTE_MS }),
      things: fc.integer({ min: 1, max: 200 }),
    });
    fc.assert(
      fc.property(limits, ({ burst, everyMs, things }) => {
        const { atMs, refusals } = bring(things, new Dripping(burst, everyMs));
        expect(atMs).toHaveLength(things);
        const leastMs = Math.max(0, things - burst) * everyMs;
        // What it takes to find the limit, and then a little more than twice the least.
        expect(atMs.at(-1)).toBeLessThan(2.2 * leastMs + 5 * MINUTE_MS);
        expect(refusals).toBeLessThan(20 + things);
      }),
      { examples: [[{ burst: 1, everyMs: 73_858, things: 189 }]] },
    );
  });

  it('starves nobody: between two that go through there is never more than a few times the interval', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 500, max: MINUTE_MS }),
        fc.integer({ min: 1, max: 20 }),
        (everyMs, burst) => {
          const { atMs } = bring(burst + 60, new Dripping(burst, everyMs));
          const gaps = atMs.slice(1).map((at, index) => at - (atMs[index] ?? 0));
          expect(Math.max(...gaps)).toBeLessThanOrEqual(4 * everyMs + 2_000);
        },
      ),
    );
  });

  it('forgets a limit that is gone', () => {
    const pace = newPace();
    const { atMs } = bring(24, new Ticking(10, 2, 3 * MINUTE_MS), pace);
    const goneAtMs = atMs.at(-1) ?? 0;
    const free = bring(100, { takes: () => true }, pace, goneAtMs);
    expect(pace.isLimited).toBe(false);
    expect((free.atMs.at(-1) ?? Infinity) - goneAtMs).toBeLessThan(15 * MINUTE_MS);
  });

  it('asks somebody who refuses everything seldom, but does ask, and says for how long that was so', () => {
    const pace = newPace();
    let tries = 0;
    for (let nowMs = 0; nowMs < 60 * MINUTE_MS; nowMs += 100) {
      if (pace.reserve(nowMs, 0) === undefined) continue;
      pace.refused(nowMs, nowMs, FIRST_MS);
      tries += 1;
    }
    expect(tries).toBeGreaterThan(30);
    expect(tries).toBeLessThan(40);
    expect(pace.now(60 * MINUTE_MS).deniedForMs).toBeGreaterThan(57 * MINUTE_MS);
    pace.passed(60 * MINUTE_MS);
    expect(pace.now(60 * MINUTE_MS).deniedForMs).toBe(0);
  });

  it('takes the refusals of what went out together for one', () => {
    const pace = newPace();
    for (let each = 0; each < 24; each += 1) pace.reserve(0, 0);
    for (let each = 0; each < 10; each += 1) pace.passed(5);
    for (let each = 0; each < 14; each += 1) pace.refused(0, 6, FIRST_MS);
    expect(pace.now(6)).toMatchObject({ untilMs: 1_006 });
  });

  it('gives places one after the other, and none beyond what is worth waiting for', () => {
    const pace = newPace();
    pace.refused(0, 0, FIRST_MS);
    expect(pace.room(0, 3_000)).toBe(3);
    expect([1, 2, 3, 4].map(() => pace.reserve(0, 3_000))).toEqual([1_000, 2_000, 3_000, undefined]);
    expect(pace.now(0).untilMs).toBe(4_000);
    expect(pace.room(0, 3_000)).toBe(0);
  });
});

/** Any sensible settings, and what may happen to a pace with them. */
const settings = fc.record({
  refused: fc.double({ min: 1.05, max: 4, noNaN: true }),
  passed: fc.double({ min: 0.2, max: 0.95, noNaN: true }),
  margin: fc.double({ min: 1, max: 2, noNaN: true }),
  carefully: fc.constantFrom(
    (intervalMs: number) => intervalMs * 0.85,
    (intervalMs: number) => 1_000 / (1_000 / intervalMs + 0.02),
  ),
  maxIntervalMs: fc.integer({ min: 2_000, max: 120_000 }),
  minIntervalMs: fc.constantFrom(0, 100),
});
const steps = fc.array(
  fc.record({
    what: fc.constantFrom('reserve', 'passed', 'refused', 'refused late'),
    afterMs: fc.integer({ min: 0, max: 5_000 }),
  }),
  { maxLength: 60 },
);

test('with whatever settings: a refusal never quickens, what goes through never slows, an old refusal says nothing, and places keep the interval', () => {
  fc.assert(
    fc.property(settings, steps, (each, happenings) => {
      const pace = new Pace(each);
      let nowMs = 1_000_000;
      let lastPlaceMs = -Infinity;
      for (const { what, afterMs } of happenings) {
        nowMs += afterMs;
        const before = pace.intervalMs;
        const slowedBeforeAtMs = pace.slowedAtMs;
        if (what === 'refused') {
          pace.refused(nowMs, nowMs, FIRST_MS);
          expect(pace.intervalMs).toBeGreaterThanOrEqual(before);
          expect(pace.isLimited).toBe(true);
          // Places from before a refusal no longer count: the next one keeps the interval from the refusal.
          if (pace.slowedAtMs !== slowedBeforeAtMs) lastPlaceMs = nowMs;
        } else if (what === 'refused late' && pace.slowedAtMs > -Infinity) {
          pace.refused(pace.slowedAtMs, nowMs, FIRST_MS);
          expect(pace.intervalMs).toBe(before);
        } else if (what === 'passed') {
          pace.passed(nowMs);
          expect(pace.intervalMs).toBeLessThanOrEqual(before);
          expect(pace.now(nowMs).deniedForMs).toBe(0);
          // From here on places follow the shorter interval.
          lastPlaceMs = -Infinity;
        } else if (what === 'reserve') {
          const room = pace.room(nowMs, 3_000);
          const placeMs = pace.reserve(nowMs, 3_000);
          expect(placeMs === undefined).toBe(room === 0);
          if (placeMs === undefined || !pace.isLimited) continue;
          expect(placeMs).toBeGreaterThanOrEqual(nowMs);
          expect(placeMs - lastPlaceMs).toBeGreaterThanOrEqual(pace.intervalMs - 1e-6);
          lastPlaceMs = placeMs;
        }
        expect(pace.intervalMs).toBeLessThanOrEqual(each.maxIntervalMs);
      }
    }),
  );
});
