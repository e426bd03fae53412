import { RepublishError } from '../../contract/failures';
import { gathered } from '../../database/gathered';

describe('statements of one moment', () => {
  test('go together, in the order in which they were asked for, and nothing is remembered', async () => {
    const together: number[][] = [];
    const double = gathered(async (asked: readonly number[]) => {
      together.push([...asked]);
      return asked.map((one) => one * 2);
    });
    expect(await Promise.all([3, 1, 3].map(double))).toEqual([6, 2, 6]);
    expect(await double(3)).toBe(6);
    expect(together).toEqual([[3, 1, 3], [3]]);
  });

  test('are no more than a hundred', async () => {
    const sizes: number[] = [];
    const same = gathered(async (asked: readonly number[]) => {
      sizes.push(asked.length);
      return asked;
    });
    await Promise.all(Array.from({ length: 250 }, (_, n) => same(n)));
    expect(sizes).toEqual([100, 100, 50]);
  });

  test('are asked one by one when they are refused, and not when nobody answers', async () => {
    const calls: number[] = [];
    const refusing = (type: 'DatabaseMisconfigured' | 'DatabaseUnavailable') =>
      gathered(async (asked: readonly number[]) => {
        calls.push(asked.length);
        if (asked.includes(2)) throw new RepublishError(type, 'no');
        return asked;
      });
    const outcomes = async (one: (asked: number) => Promise<number>) =>
      (await Promise.allSettled([1, 2, 3].map(one))).map(({ status }) => status);
    expect(await outcomes(refusing('DatabaseMisconfigured'))).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(calls).toEqual([3, 1, 1, 1]);
    expect(await outcomes(refusing('DatabaseUnavailable'))).toEqual(['rejected', 'rejected', 'rejected']);
    expect(calls).toEqual([3, 1, 1, 1, 3]);
  });

  test('may each end in an error of its own', async () => {
    const even = gathered(async (asked: readonly number[]) =>
      asked.map((one) => (one % 2 ? new Error(`${one} is odd`) : one)),
    );
    expect(await Promise.allSettled([1, 2].map(even))).toMatchObject([
      { reason: { message: '1 is odd' } },
      { value: 2 },
    ]);
  });
});
