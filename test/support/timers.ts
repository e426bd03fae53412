const spies: { mockRestore(): void }[] = [];
afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

/** A timer may be set for what is left of a time limit: that is a little less than the limit. */
const LESS_MS = 1_000;

/**
 * Counts the timers of this duration that are set and not cleared. Choose a duration that nothing else uses.
 */
export function watchTimers(delayMs: number): () => number {
  const set = jest.spyOn(globalThis, 'setTimeout');
  const clear = jest.spyOn(globalThis, 'clearTimeout');
  spies.push(set, clear);
  return () => {
    const cleared = clear.mock.calls.map(([timer]) => timer);
    return set.mock.results.filter(({ value }, index) => {
      const ms = set.mock.calls[index]?.[1] ?? 0;
      return ms > delayMs - LESS_MS && ms <= delayMs && !cleared.includes(value as NodeJS.Timeout);
    }).length;
  };
}
