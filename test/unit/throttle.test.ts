import fc from 'fast-check';
import { Throttle } from '../../rules/throttle';

const MINUTE_MS = 60_000;

/** khatru: whoever has used up the burst gets so many more at each tick, and a refusal costs nothing. */
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
 * Virtual time: one after the other, as early as the throttle lets them. @returns when each went through, and
 * the refusals
 */
function bring(
  things: number,
  taker: Taker,
  throttle = new Throttle(),
  fromMs = 0,
): { atMs: number[]; refusals: number } {
  const atMs: number[] = [];
  let refusals = 0;
  for (let nowMs = fromMs; atMs.length < things && nowMs < fromMs + 24 * 60 * MINUTE_MS;) {
    const placeMs = throttle.reserve(nowMs, 0);
    if (placeMs === undefined) {
      nowMs = throttle.now(nowMs).untilMs;
      continue;
    }
    if (taker.takes(nowMs)) {
      throttle.passed(nowMs);
      atMs.push(nowMs);
    } else {
      throttle.refused(nowMs, nowMs);
      refusals += 1;
    }
    nowMs += 1;
  }
  return { atMs, refusals };
}

describe('a throttle', () => {
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
    const throttle = new Throttle();
    const { atMs } = bring(24, new Ticking(10, 2, 3 * MINUTE_MS), throttle);
    const goneAtMs = atMs.at(-1) ?? 0;
    const free = bring(100, { takes: () => true }, throttle, goneAtMs);
    expect(throttle.isLimited).toBe(false);
    expect((free.atMs.at(-1) ?? Infinity) - goneAtMs).toBeLessThan(15 * MINUTE_MS);
  });

  it('asks somebody who refuses everything seldom, but does ask, and says for how long that was so', () => {
    const throttle = new Throttle();
    let tries = 0;
    for (let nowMs = 0; nowMs < 60 * MINUTE_MS; nowMs += 100) {
      if (throttle.reserve(nowMs, 0) === undefined) continue;
      throttle.refused(nowMs, nowMs);
      tries += 1;
    }
    expect(tries).toBeGreaterThan(30);
    expect(tries).toBeLessThan(40);
    expect(throttle.now(60 * MINUTE_MS).deniedForMs).toBeGreaterThan(57 * MINUTE_MS);
    throttle.passed(60 * MINUTE_MS);
    expect(throttle.now(60 * MINUTE_MS).deniedForMs).toBe(0);
  });

  it('takes the refusals of what went out together for one', () => {
    const throttle = new Throttle();
    for (let each = 0; each < 24; each += 1) throttle.reserve(0, 0);
    for (let each = 0; each < 10; each += 1) throttle.passed(5);
    for (let each = 0; each < 14; each += 1) throttle.refused(0, 6);
    expect(throttle.now(6)).toMatchObject({ untilMs: 1_006 });
  });

  it('gives places one after the other, and none beyond what is worth waiting for', () => {
    const throttle = new Throttle();
    throttle.refused(0, 0);
    expect(throttle.room(0, 3_000)).toBe(3);
    expect([1, 2, 3, 4].map(() => throttle.reserve(0, 3_000))).toEqual([1_000, 2_000, 3_000, undefined]);
    expect(throttle.now(0).untilMs).toBe(4_000);
    expect(throttle.room(0, 3_000)).toBe(0);
  });
});
