import { beginOrStopWaiting } from '../../client/cli/other-request';

test('Ctrl-C while start waits for another run is heard from the moment it is offered', async () => {
  const listeners = (): number => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
  const before = listeners();
  const offered: number[] = [];
  const written = jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    if (String(text).includes('Ctrl-C ends the waiting')) offered.push(listeners() - before);
    return true;
  });
  try {
    const begun = await beginOrStopWaiting(({ onWaiting }) => {
      const looks = [1, 2].map((look) => ({ message: `waits for the end of another run, look ${look}` }));
      for (const look of looks) onWaiting?.(look as Parameters<typeof onWaiting>[0]);
      return Promise.resolve('begun');
    }, 'To see it: republish watch op');
    expect(begun).toBe('begun');
  } finally {
    written.mockRestore();
  }
  // Offered once, and forgotten when it waits no longer.
  expect([offered, listeners()]).toEqual([[2], before]);
});
