import { RepublishError } from '../../contract/failures';
import { StatementError } from '../../database/connection';
import { gathered } from '../../database/gathered';

describe('statements of one moment', () => {
  const asked: (number | readonly number[])[] = [];
  beforeEach(() => asked.splice(0));

  /** Doubles what it is given, but says nothing of numbers above 1,000 when they are many. */
  const doubling = (failure?: Error) =>
    gathered<number, number>({
      many: async (numbers) => {
        asked.push([...numbers]);
        if (failure !== undefined) throw failure;
        return numbers.map((one) => (one > 1_000 ? undefined : one * 2));
      },
      one: async (number) => {
        asked.push(number);
        if (number < 0) throw new Error(`${number} is negative`);
        return number * 2;
      },
    });

  test('go together, in the order in which they were asked for, and nothing is remembered', async () => {
    const double = doubling();
    expect(await Promise.all([3, 1, 3].map(double))).toEqual([6, 2, 6]);
    expect(await double(3)).toBe(6);
    expect(asked).toEqual([[3, 1, 3], 3]);
  });

  test('are no more than a hundred', async () => {
    await Promise.all(Array.from({ length: 250 }, (_, n) => n).map(doubling()));
    expect(asked.map((numbers) => typeof numbers === 'object' && numbers.length)).toEqual([100, 100, 50]);
  });

  test('are asked for by themselves where the many say nothing', async () => {
    expect(await Promise.all([1, 1_001, 2].map(doubling()))).toEqual([2, 2_002, 4]);
    expect(asked).toEqual([[1, 1_001, 2], 1_001]);
  });

  test('are asked for by themselves when Postgres refuses the many', async () => {
    const double = doubling(new StatementError('DatabaseUnavailable', 'a lock, say', '55P03'));
    const outcomes = await Promise.allSettled([1, -2, 3].map(double));
    expect(outcomes).toMatchObject([{ value: 2 }, { reason: { message: '-2 is negative' } }, { value: 6 }]);
    expect(await Promise.all([4, 5].map(double))).toEqual([8, 10]);
    expect(asked).toEqual([[1, -2, 3], 1, -2, 3, [4, 5], 4, 5]);
  });

  test('are asked for by themselves for a while after that took long', async () => {
    const double = doubling(new StatementError('DatabaseUnavailable', 'statement timeout', '57014'));
    const now = jest.spyOn(Date, 'now').mockReturnValueOnce(0).mockReturnValueOnce(30_000);
    now.mockReturnValueOnce(30_000);
    expect(await Promise.all([1, 2].map(double))).toEqual([2, 4]);
    now.mockReturnValueOnce(600_000);
    expect(await Promise.all([3, 4].map(double))).toEqual([6, 8]);
    now.mockReturnValueOnce(630_001).mockReturnValueOnce(630_001);
    expect(await Promise.all([5, 6].map(double))).toEqual([10, 12]);
    now.mockRestore();
    expect(asked).toEqual([[1, 2], 1, 2, 3, 4, [5, 6], 5, 6]);
  });

  test.each([
    ['cannot be reached', new RepublishError('DatabaseUnavailable', 'not reachable')],
    ['has no connection left', new StatementError('DatabaseUnavailable', 'too many', '53300')],
    ['shuts down', new StatementError('DatabaseUnavailable', 'bye', '57P01')],
    ['has become a standby', new StatementError('DatabaseUnavailable', 'read-only', '25006')],
  ])('fail together when Postgres %s', async (_, failure) => {
    const outcomes = await Promise.allSettled([1, 2].map(doubling(failure)));
    expect(outcomes).toEqual([1, 2].map(() => ({ status: 'rejected', reason: failure })));
    expect(asked).toEqual([[1, 2]]);
  });
});
