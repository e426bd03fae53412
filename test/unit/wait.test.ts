import { getEventListeners, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { onAbort, onTimeout, sleep, unlessAborted, untilCalled, within } from '../../async/wait';

const REASON = new Error('enough');
const LONG_MS = 60_000;

const listenersOn = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;
const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

/** Work whose end the test decides. */
function controlled<T>(): {
  work: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: Error) => void;
} {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: Error) => void = () => undefined;
  const work = new Promise<T>((yes, no) => ([resolve, reject] = [yes, no]));
  return { work, resolve, reject };
}

/** Each kind of wait for something that a test brings about, or that does not come. */
const WAITS: Record<string, (signal: AbortSignal, work: Promise<string>) => Promise<unknown>> = {
  sleep: (signal) => sleep(LONG_MS, signal),
  unlessAborted: (signal, work) => unlessAborted(work, signal),
  within: (signal, work) => within(work, LONG_MS, signal),
  untilCalled: (signal, work) =>
    untilCalled((call) => {
      work.then(call, () => undefined);
      return () => undefined;
    }, signal),
};

describe.each(Object.keys(WAITS))('%s', (name) => {
  const wait = (signal: AbortSignal, work: Promise<string>): Promise<unknown> =>
    (WAITS[name] as (typeof WAITS)[string])(signal, work);

  it('ends with the reason of the signal, and leaves no listener and no timer', async () => {
    const controller = new AbortController();
    const before = timers();
    const waiting = wait(controller.signal, controlled<string>().work);
    expect(listenersOn(controller.signal)).toBe(1);
    controller.abort(REASON);
    await expect(waiting).rejects.toBe(REASON);
    expect(listenersOn(controller.signal)).toBe(0);
    expect(timers()).toBe(before);
  });

  it('does not begin with a signal that is aborted already', async () => {
    await expect(wait(AbortSignal.abort(REASON), controlled<string>().work)).rejects.toBe(REASON);
  });

  it('has any number of waits on one signal without a warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on('warning', note);
    const controller = new AbortController();
    const waiting = Array.from({ length: 30 }, () => wait(controller.signal, controlled<string>().work));
    expect(listenersOn(controller.signal)).toBe(30);
    controller.abort(REASON);
    await Promise.allSettled(waiting);
    // Warnings come in a turn of their own.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
    expect(listenersOn(controller.signal)).toBe(0);
  });
});

describe.each(['unlessAborted', 'within', 'untilCalled'])('%s', (name) => {
  it('gives the result, and leaves no listener and no timer', async () => {
    const { signal } = new AbortController();
    const before = timers();
    const { work, resolve } = controlled<string>();
    const waiting = (WAITS[name] as (typeof WAITS)[string])(signal, work);
    resolve('done');
    await expect(waiting).resolves.toBe('done');
    expect(listenersOn(signal)).toBe(0);
    expect(timers()).toBe(before);
  });
});

test.each(['unlessAborted', 'within'])('%s fails as its work fails', async (name) => {
  const { signal } = new AbortController();
  const { work, reject } = controlled<string>();
  const waiting = (WAITS[name] as (typeof WAITS)[string])(signal, work);
  reject(new Error('the work failed'));
  await expect(waiting).rejects.toThrow('the work failed');
  expect(listenersOn(signal)).toBe(0);
});

test('within gives undefined where the work takes longer, and hears no more of it', async () => {
  const { signal } = new AbortController();
  const before = timers();
  const { work, reject } = controlled<string>();
  await expect(within(work, 1, signal)).resolves.toBeUndefined();
  expect(listenersOn(signal)).toBe(0);
  expect(timers()).toBe(before);
  // An unhandled rejection would end the process.
  reject(new Error('late'));
  await new Promise((resolve) => setImmediate(resolve));
});

test('a wait without a signal waits', async () => {
  await expect(unlessAborted(Promise.resolve('done'), undefined)).resolves.toBe('done');
  await expect(within(Promise.resolve('done'), LONG_MS)).resolves.toBe('done');
  await expect(sleep(1)).resolves.toBeUndefined();
});

test('onAbort acts once: at the abort, at once where it was, and not after it was stopped', () => {
  const controller = new AbortController();
  const acted: string[] = [];
  onAbort(controller.signal, () => acted.push('first'));
  onAbort(controller.signal, () => acted.push('stopped'))();
  controller.abort(REASON);
  onAbort(controller.signal, () => acted.push('late'));
  onAbort(undefined, () => acted.push('never'))();
  expect(acted).toEqual(['first', 'late']);
});

test('a call that comes before the abort counts, one that comes after it finds nobody: no turn is lost or given twice', async () => {
  const event = fc.constantFrom('call', 'abort');
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 4 }), async (events) => {
      const controller = new AbortController();
      const queue: ((turn: string) => void)[] = [];
      const waiting = untilCalled<string>((call) => {
        queue.push(call);
        return () => void queue.splice(queue.indexOf(call), 1);
      }, controller.signal);
      let given = 0;
      // All in one turn of the event loop, before a waiter can hear of any.
      for (const each of events) {
        if (each === 'abort') controller.abort(REASON);
        else if (queue.length > 0) queue.splice(0).forEach((call) => (call('turn'), (given += 1)));
      }
      const outcome = await waiting.catch((error: unknown) => error);
      expect(outcome).toBe(events[0] === 'call' ? 'turn' : REASON);
      expect(given).toBe(events[0] === 'call' ? 1 : 0);
      expect(listenersOn(controller.signal)).toBe(0);
    }),
  );
});

describe('a time limit of a process that was busy for longer', () => {
  it('reads what has arrived before it says that nothing has come', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [peer] = await accepted;
    try {
      const answer = once(client, 'data').then(([data]) => String(data));
      const inTime = within(answer, 20);
      // The kernel has it at once; this process is busy until the time is long over.
      peer.write('answer');
      for (const untilMs = performance.now() + 100; performance.now() < untilMs;);
      await expect(inTime).resolves.toBe('answer');
    } finally {
      client.destroy();
      peer.destroy();
      server.close();
    }
  });

  it('can be stopped in that last moment', async () => {
    const end = jest.fn();
    const stop = onTimeout(1, end);
    const stopped = new Promise<void>((resolve) => setTimeout(() => resolve(stop()), 1));
    // Both timers are late, and run one after the other.
    for (const untilMs = performance.now() + 20; performance.now() < untilMs;);
    await stopped;
    await sleep(20);
    expect(end).not.toHaveBeenCalled();
  });
});
