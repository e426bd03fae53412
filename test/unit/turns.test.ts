import fc from 'fast-check';
import { inTurn } from '../../rules/turns';

const tries = (of: Record<string, number>): string[] => inTurn(Object.keys(of), (name) => of[name] ?? 0);

test.each([
  [{ a: 0, b: 0, c: 0 }, 'abc'],
  [{ a: 1, b: 1, c: 1 }, 'bca'],
  [{ a: 3, b: 3, c: 3 }, 'abc'],
  // Only the first was asked since, and was refused.
  [{ a: 2, b: 1, c: 1 }, 'cba'],
  [{ a: 1, b: 2, c: 2, d: 2 }, 'abcd'],
])('with the tries %j the order is %s', (of, order) => {
  expect(tries(of).join('')).toBe(order);
});

test('nothing is nothing', () => expect(tries({})).toEqual([]));

test('each comes once, one with the fewest tries comes first, and each of those comes first in some attempt', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5), { minLength: 1, maxLength: 8 }), (all) => {
      const things = all.map((count, index) => ({ count, index }));
      const ordered = inTurn(things, ({ count }) => count);
      expect(new Set(ordered)).toEqual(new Set(things));
      expect(ordered).toHaveLength(things.length);
      const least = Math.min(...all);
      expect(ordered[0]?.count).toBe(least);
      const group = things.filter(({ count }) => count === least);
      const firsts = group.map((_, attempt) => inTurn(group, () => attempt)[0]);
      expect(new Set(firsts)).toEqual(new Set(group));
    }),
  );
});
