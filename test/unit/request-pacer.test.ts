import { type Clock, RequestPacer } from '../../nostr/bunker/request-pacer';

/** Virtual time: sleepers wake in order, and nothing waits for real. */
class VirtualClock implements Clock {
  #now = 1_000_000;
  #sleepers: { atMs: number; wake: () => void }[] = [];

  nowMs(): number {
    return this.#now;
  }

  sleep(ms: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ atMs: this.#now + ms, wake }));
  }

  /** Runs until `done`, always to the next sleeper. */
  async run(done: () => boolean): Promise<void> {
    while (!done()) {
      await new Promise((resolve) => setImmediate(resolve));
      if (done()) return;
      this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#sleepers.shift();
      if (next === undefined) continue;
      this.#now = Math.max(this.#now, next.atMs);
      next.wake();
    }
  }
}

type Relay = (nowMs: number) => boolean;

/**
 * rust-nostr's LocalRelay: whole seconds since the last look make tokens, so that looking too often makes
 * none.
 */
function wholeSecondBucket(perMinute: number): Relay {
  let tokens = perMinute;
  let lastMs: number | undefined;
  return (nowMs) => {
    const seconds = lastMs === undefined ? 0 : Math.floor((nowMs - lastMs) / 1_000);
    tokens = Math.min(perMinute, tokens + Math.floor((seconds / 60) * perMinute));
    lastMs = nowMs;
    if (tokens === 0) return false;
    tokens -= 1;
    return true;
  };
}

function tokenBucket(perMinute: number, capacity: number): Relay {
  let tokens = capacity;
  let lastMs: number | undefined;
  return (nowMs) => {
    tokens = Math.min(capacity, tokens + ((nowMs - (lastMs ?? nowMs)) / 60_000) * perMinute);
    lastMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

function fixedWindow(perMinute: number): Relay {
  let window = -1;
  let used = 0;
  return (nowMs) => {
    const current = Math.floor(nowMs / 60_000);
    if (current !== window) [window, used] = [current, 0];
    used += 1;
    return used <= perMinute;
  };
}

/** How long `requests` take, in virtual milliseconds, with so many in flight and 100 ms for each answer. */
async function duration(relay: Relay, requests: number, inFlight = 8): Promise<number> {
  const clock = new VirtualClock();
  const pacer = new RequestPacer(clock);
  const startedAtMs = clock.nowMs();
  let left = requests;
  let done = 0;
  const lane = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      let sentAtMs = 0;
      for (let again = false; ; again = true) {
        await pacer.take(undefined, again);
        sentAtMs = clock.nowMs();
        await clock.sleep(5);
        if (relay(clock.nowMs())) break;
        pacer.refused(sentAtMs);
      }
      pacer.passed();
      pacer.answered(sentAtMs);
      await clock.sleep(100);
      done += 1;
    }
  };
  void Promise.all(Array.from({ length: inFlight }, lane));
  await clock.run(() => done === requests);
  return clock.nowMs() - startedAtMs;
}

describe('with a relay that allows 60 requests a minute, 200 requests pass at no less than 90% of that rate', () => {
  const boundMs = ((200 / 60) * 60_000) / 0.9;

  test.each([
    ['a bucket that counts whole seconds', wholeSecondBucket(60)],
    ['a bucket that holds a minute', tokenBucket(60, 60)],
    ['a bucket that holds ten', tokenBucket(60, 10)],
    ['a count that begins anew each minute', fixedWindow(60)],
  ])('%s', async (_kind, relay) => {
    expect(await duration(relay, 200)).toBeLessThan(boundMs);
  });
});

test('without refusals nothing waits', async () => {
  const ms = await duration(() => true, 800);
  expect(ms).toBeLessThan((800 / 8) * 110);
});

test('refusals of what was sent before it slowed down do not slow it further', () => {
  const clock = new VirtualClock();
  const pacer = new RequestPacer(clock);
  for (let n = 0; n < 20; n += 1) pacer.passed();
  const sentAtMs = clock.nowMs();
  pacer.refused(sentAtMs);
  const once = pacer.ratePerS;
  for (let n = 0; n < 50; n += 1) pacer.refused(sentAtMs);
  expect(pacer.ratePerS).toBe(once);
});

test('a relay that refuses everything is still asked now and then', () => {
  const pacer = new RequestPacer(new VirtualClock());
  for (let n = 1; n < 100; n += 1) pacer.refused(1_000_000 + n);
  expect(pacer.ratePerS).toBeGreaterThanOrEqual(0.2);
});

test('waiting for a place ends with the signal', async () => {
  const pacer = new RequestPacer();
  pacer.refused(Date.now());
  const controller = new AbortController();
  const waiting = pacer.take(controller.signal).then(() => pacer.take(controller.signal));
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

/** Each was sent a second after the one before. */
function ratesAfter(outcomes: readonly ('refused' | 'answered')[]): number[] {
  let nowMs = 1_000_000;
  const pacer = new RequestPacer({ nowMs: () => nowMs, sleep: () => Promise.resolve() });
  for (let n = 0; n < 20; n += 1) pacer.passed();
  return outcomes.map((outcome) => {
    nowMs += 1_000;
    // The relay lets all of them through.
    pacer.passed();
    pacer[outcome](nowMs);
    return pacer.ratePerS;
  });
}

test('what a relay has passed on and the bunker refuses slows down all the same, and is one piece of trouble', () => {
  const rates = ratesAfter(['refused', 'refused', 'refused', 'answered', 'answered']);
  const [first = 0, second = 0, third = 0, fourth = 0, fifth = 0] = rates;
  expect([second, third].map((rate) => rate / first)).toEqual([
    expect.closeTo(0.8, 5),
    expect.closeTo(0.64, 5),
  ]);
  // Fast, up to where the trouble began.
  expect(fourth).toBeCloseTo(second, 5);
  expect(fifth).toBeCloseTo(first, 5);
});

test('an answer to what was sent before it slowed down does not speed it up', () => {
  const pacer = new RequestPacer(new VirtualClock());
  pacer.refused(1_000_000);
  const slow = pacer.ratePerS;
  pacer.answered(999_000);
  expect(pacer.ratePerS).toBe(slow);
});
