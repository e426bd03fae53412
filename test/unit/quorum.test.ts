import fc from 'fast-check';
import { quorumSize } from '../../rules/quorum';

describe('quorumSize', () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [20, 11],
  ])('makes a majority of %i relays %i', (relays, expected) => {
    expect(quorumSize('majority', relays)).toBe(expected);
  });

  it('takes all, or the number that was given', () => {
    expect(quorumSize('all', 3)).toBe(3);
    expect(quorumSize(1, 3)).toBe(1);
  });

  it('lets no two majorities miss each other, so that no other document can reach one beside ours', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), (relays) => {
        const size = quorumSize('majority', relays);
        expect(2 * size).toBeGreaterThan(relays);
        expect(size).toBeLessThanOrEqual(relays);
      }),
    );
  });
});
