import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { Limiter } from '../../async/limiter';

/** Work whose end the test decides. */
function controlled(): { work: () => Promise<void>; started: () => boolean; end: (error?: Error) => void } {
  let started = false;
  let end: (error?: Error) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    end = (error) => (error ? reject(error) : resolve());
  });
  return { work: () => ((started = true), promise), started: () => started, end };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Limiter', () => {
  it('starts what waits in the order in which it came', async () => {
    const limiter = new Limiter(1);
    const order: number[] = [];
    const jobs = [1, 2, 3, 4].map((number) =>
      limiter.run(async () => {
        order.push(number);
        await turn();
      }),
    );
    await Promise.all(jobs);
    expect(order).toEqual([1, 2, 3, 4]);
  });

  it('of those that wait, the one with the lowest rank is next; equal ones go in their order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 12 }), async (ranks) => {
        const limiter = new Limiter(1);
        const first = controlled();
        const running = limiter.run(first.work);
        const order: number[] = [];
        const jobs = ranks.map((rank, index) =>
          limiter.run(async () => void order.push(index), undefined, rank),
        );
        first.end();
        await Promise.all([running, ...jobs]);
        const inOrder = [...ranks.keys()].sort((a, b) => (ranks[a] ?? 0) - (ranks[b] ?? 0) || a - b);
        expect(order).toEqual(inOrder);
      }),
    );
  });

  it('lets more through when its limit is raised, and none until enough have ended when it is lowered', async () => {
    const limiter = new Limiter(1);
    const works = Array.from({ length: 6 }, controlled);
    const runs = works.map(({ work }) => limiter.run(work));
    const started = (): number => works.filter((work) => work.started()).length;
    await turn();
    expect(started()).toBe(1);
    limiter.limit = 4;
    await turn();
    expect(started()).toBe(4);
    limiter.limit = 2;
    for (const [ended, expected] of [4, 4, 5, 6].entries()) {
      works[ended]?.end();
      await turn();
      expect(started()).toBe(expected);
    }
    for (const work of works) work.end();
    await Promise.all(runs);
    expect(limiter.running).toBe(0);
  });

  it('hands a place to the one that waits, not to the one that comes in that moment', async () => {
    const limiter = new Limiter(1);
    const [first, waiting, late] = [controlled(), controlled(), controlled()];
    const done = limiter.run(first.work).then(() => limiter.run(late.work));
    const waited = limiter.run(waiting.work);
    first.end();
    await turn();
    expect([waiting.started(), late.started()]).toEqual([true, false]);
    waiting.end();
    late.end();
    await Promise.all([done, waited]);
  });

  it('passes the result on, and frees the place when the work fails, also before its first await', async () => {
    const limiter = new Limiter(1);
    await expect(limiter.run(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
    const atOnce = (): Promise<never> => {
      throw new Error('at once');
    };
    await expect(limiter.run(atOnce)).rejects.toThrow('at once');
    await expect(limiter.run(async () => 'result')).resolves.toBe('result');
  });

  it('lets an aborted one go from the queue without its place and without a listener', async () => {
    const limiter = new Limiter(1);
    const [first, aborted, last] = [controlled(), controlled(), controlled()];
    const controller = new AbortController();
    const running = limiter.run(first.work);
    const leaving = limiter.run(aborted.work, controller.signal);
    const staying = limiter.run(last.work);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);

    controller.abort(new Error('cancelled'));
    await expect(leaving).rejects.toThrow('cancelled');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);

    first.end();
    await running;
    await turn();
    expect([aborted.started(), last.started()]).toEqual([false, true]);
    last.end();
    await staying;
  });

  it('leaves no listener behind when the place came before the abort', async () => {
    const limiter = new Limiter(1);
    const first = controlled();
    const controller = new AbortController();
    const running = limiter.run(first.work);
    const waiting = limiter.run(async () => 'done', controller.signal);
    first.end();
    await running;
    await expect(waiting).resolves.toBe('done');
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  it('does not begin for a signal that is aborted already', async () => {
    const job = controlled();
    await expect(new Limiter(1).run(job.work, AbortSignal.abort(new Error('too late')))).rejects.toThrow(
      'too late',
    );
    expect(job.started()).toBe(false);
  });

  it('never runs more than the limit, and all of it in the end, whoever fails or leaves', async () => {
    const plan = fc.array(fc.constantFrom('ends', 'fails', 'leaves'), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 5 }), plan, async (limit, fates) => {
        const limiter = new Limiter(limit);
        let running = 0;
        let most = 0;
        const jobs = fates.map((fate) => {
          const controller = new AbortController();
          const job = limiter.run(async () => {
            most = Math.max(most, ++running);
            await turn();
            running -= 1;
            if (fate === 'fails') throw new Error('failed');
            return 'ended';
          }, controller.signal);
          const settled = job.catch((error: Error) => error.message);
          if (fate === 'leaves') controller.abort(new Error('left'));
          return settled;
        });
        const results = await Promise.all(jobs);
        expect(most).toBeLessThanOrEqual(limit);
        expect(running).toBe(0);
        results.forEach((result, index) => {
          const allowed = { ends: ['ended'], fails: ['failed'], leaves: ['left', 'ended'] }[
            fates[index] ?? 'ends'
          ];
          expect(allowed).toContain(result);
        });
        // Every place is free again.
        await expect(limiter.run(async () => 'free')).resolves.toBe('free');
      }),
    );
  });
});
