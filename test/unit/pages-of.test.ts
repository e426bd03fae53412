import fc from 'fast-check';
import { pagesOf } from '../../async/pages';

/** A list that gives out so many of what comes after an item, as the statements of ledger and source do. */
function listOf(items: readonly number[]): {
  asked: (number | undefined)[];
  ask(last: number | undefined, limit: number): Promise<number[]>;
} {
  const asked: (number | undefined)[] = [];
  return {
    asked,
    ask: async (last, limit) => {
      asked.push(last);
      return items.filter((item) => last === undefined || item > last).slice(0, limit);
    },
  };
}

test('gives every item once and in order, in full pages but for the last, and asks no more often than it must', async () => {
  const list = fc.uniqueArray(fc.integer(), { maxLength: 40 });
  await fc.assert(
    fc.asyncProperty(list, fc.integer({ min: 1, max: 10 }), async (numbers, limit) => {
      const items = numbers.sort((a, b) => a - b);
      const { asked, ask } = listOf(items);
      const pages: number[][] = [];
      for await (const page of pagesOf(limit, ask)) pages.push(page);
      expect(pages.flat()).toEqual(items);
      expect(pages.slice(0, -1).every(({ length }) => length === limit)).toBe(true);
      expect(pages).not.toContainEqual([]);
      expect(asked).toHaveLength(Math.floor(items.length / limit) + 1);
    }),
  );
});

test('asks for the next page only when it is wanted, and passes a failure on', async () => {
  const { asked, ask } = listOf([1, 2, 3]);
  for await (const page of pagesOf(1, ask)) {
    expect(page).toEqual([1]);
    break;
  }
  expect(asked).toEqual([undefined]);
  const failing = pagesOf(1, () => Promise.reject(new Error('the database is away')));
  await expect(failing.next()).rejects.toThrow('the database is away');
});
