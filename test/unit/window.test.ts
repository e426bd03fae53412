import fc from 'fast-check';
import { RequestWindow } from '../../rules/window';

/**
 * A bunker in virtual time: how long a request takes from the moment in which it is begun, and how many are
 * in work at once.
 */
interface SimulatedBunker {
  workMs: number;
  atOnce: number;
}

interface Simulated {
  /** Requests answered in time, by second. */
  perSecond: number;
  timeouts: number;
  /** The largest number in flight after the first ten answers. */
  inFlight: number;
  limit: number;
}

/** Always as many requests in flight as the window lets through, encryptions and signatures in turn. */
function simulate(
  { workMs, atOnce }: SimulatedBunker,
  {
    ceiling = 64,
    timeoutMs = 30_000,
    forMs = Math.max(400 * workMs, 2_000),
  }: { ceiling?: number; timeoutMs?: number; forMs?: number } = {},
): Simulated {
  const window = new RequestWindow(ceiling, timeoutMs);
  /** When each place at the bunker is free again. */
  const places = Array<number>(atOnce).fill(0);
  let inFlight: { sentAtMs: number; endMs: number; others: number; question: number }[] = [];
  let [nowMs, sent, answers, timeouts, largest] = [0, 0, 0, 0, 0];
  const send = (): void => {
    while (inFlight.length < window.limit) {
      const place = places.indexOf(Math.min(...places));
      const endMs = Math.max(nowMs, places[place] ?? 0) + workMs;
      places[place] = endMs;
      inFlight.push({ sentAtMs: nowMs, endMs, others: inFlight.length + 1, question: sent });
      sent += 1;
    }
    if (answers > 10) largest = Math.max(largest, inFlight.length);
  };
  for (send(); nowMs < forMs; send()) {
    const next = inFlight.reduce((a, b) =>
      Math.min(a.endMs, a.sentAtMs + timeoutMs) <= Math.min(b.endMs, b.sentAtMs + timeoutMs) ? a : b,
    );
    const isLate = next.endMs > next.sentAtMs + timeoutMs;
    nowMs = Math.min(next.endMs, next.sentAtMs + timeoutMs);
    inFlight = inFlight.filter((each) => each !== next);
    if (isLate) {
      timeouts += 1;
      window.lost(next.sentAtMs, nowMs);
    } else {
      answers += 1;
      const question = next.question % 2 === 0 ? 'encryption' : 'signature';
      window.answered(question, nowMs - next.sentAtMs, next.others);
    }
  }
  return { perSecond: (answers * 1_000) / nowMs, timeouts, inFlight: largest, limit: window.limit };
}

describe('the window of requests at a bunker', () => {
  it('is one until one encryption and one signature were answered, then two', () => {
    const window = new RequestWindow(64, 30_000);
    expect(window.limit).toBe(1);
    window.answered('encryption', 100, 1);
    window.answered('encryption', 100, 1);
    expect(window.limit).toBe(1);
    window.answered('signature', 100, 1);
    expect(window.limit).toBe(2);
  });

  it.each([0.25, 1, 5, 10])(
    'has one in work and one in wait at a bunker that takes %p s for each, one after the other',
    (seconds) => {
      const { perSecond, timeouts, inFlight } = simulate({ workMs: seconds * 1_000, atOnce: 1 });
      expect(timeouts).toBe(0);
      expect(inFlight).toBeLessThanOrEqual(2);
      expect(perSecond).toBeGreaterThan(0.98 / seconds);
    },
  );

  it('asks one that takes 20 s for one thing alone, as two would be too late', () => {
    expect(simulate({ workMs: 20_000, atOnce: 1 })).toMatchObject({ timeouts: 0, inFlight: 1 });
  });

  it('goes to its ceiling, within a second and a half, where each answer takes 100 ms however many there are', () => {
    expect(simulate({ workMs: 100, atOnce: 1_000 }, { forMs: 1_500 }).limit).toBe(64);
    expect(simulate({ workMs: 100, atOnce: 1_000 }, { ceiling: 16 }).inFlight).toBe(16);
  });

  it('goes down by half at a time-out, to one, and once for all that were sent together', () => {
    const window = new RequestWindow(64, 30_000);
    for (let answers = 0; answers < 40; answers += 1)
      window.answered(answers % 2 === 0 ? 'encryption' : 'signature', 100, window.limit);
    const before = window.limit;
    expect(before).toBeGreaterThan(16);
    for (let lost = 0; lost < before; lost += 1) window.lost(1_000, 31_000 + lost);
    expect(window.limit).toBe(Math.floor(before / 2));
    for (let round = 0; round < 10; round += 1) window.lost(40_000 + round * 40_000, 70_000 + round * 40_000);
    expect(window.limit).toBe(1);
  });

  it('begins anew when a person was asked', () => {
    const window = new RequestWindow(64, 30_000);
    for (let answers = 0; answers < 40; answers += 1)
      window.answered(answers % 2 === 0 ? 'encryption' : 'signature', 100, window.limit);
    window.restart();
    window.answered('signature', 100, 1);
    expect(window.limit).toBe(1);
    window.answered('encryption', 100, 1);
    expect(window.limit).toBe(2);
  });

  it('follows a bunker that becomes slower for good, and one that becomes quick again', () => {
    const window = new RequestWindow(64, 30_000);
    const answer = (latencyMs: number): void => {
      for (const question of ['encryption', 'signature'] as const)
        window.answered(question, latencyMs, window.limit);
    };
    for (let answers = 0; answers < 100; answers += 1) answer(100);
    expect(window.limit).toBe(64);
    let least = window.limit;
    for (let answers = 0; answers < 2_000 && least > 1; answers += 1) {
      answer(3_000);
      least = Math.min(least, window.limit);
    }
    // Down to one or two: a lone request takes as long, so the bunker is now that slow.
    expect(least).toBeLessThanOrEqual(2);
    for (let answers = 0; answers < 100; answers += 1) answer(3_000);
    expect(window.limit).toBeGreaterThan(4);
    for (let answers = 0; answers < 10_000; answers += 1) answer(100);
    expect(window.limit).toBe(64);
  });

  it('stays from one to its ceiling whatever happens, and keeps any bunker at least half as busy as can be', () => {
    fc.assert(
      fc.property(
        fc.record({
          workMs: fc.integer({ min: 1, max: 12_000 }),
          atOnce: fc.integer({ min: 1, max: 40 }),
          ceiling: fc.integer({ min: 1, max: 64 }),
        }),
        ({ workMs, atOnce, ceiling }) => {
          const { perSecond, timeouts, inFlight, limit } = simulate({ workMs, atOnce }, { ceiling });
          expect(limit).toBeGreaterThanOrEqual(1);
          expect(inFlight).toBeLessThanOrEqual(ceiling);
          // While it finds out how many a slow one takes.
          expect(timeouts).toBeLessThanOrEqual(ceiling);
          const best = (Math.min(atOnce, ceiling) * 1_000) / workMs;
          expect(perSecond).toBeGreaterThanOrEqual(best / 2);
        },
      ),
      { numRuns: 60 },
    );
  });
});
