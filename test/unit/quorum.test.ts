import fc from 'fast-check';
import { canNeverAnswer, quorumSize, type SightingOf, verdictOn } from '../../rules/quorum';

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

describe('a relay that does not let us in', () => {
  const closed: SightingOf<never> = { kind: 'unknown', reason: 'members only', isFinal: true };
  const away: SightingOf<never> = { kind: 'unknown', reason: 'away' };
  const event = { id: 'a'.repeat(64), created_at: 1 };

  it.each([
    ['one of three', [closed, away, away], 2, false],
    ['two of three', [closed, closed, away], 2, true],
    ['one of three that are all needed', [closed, away, away], 3, true],
    ['none', [away, away, away], 3, false],
    ['nobody asked yet', [], 2, false],
  ])('%s: whether no quorum can ever answer', (_what, seen, required, never) => {
    expect(canNeverAnswer(seen, { relays: 3, required })).toBe(never);
  });

  it('has refused the event for good, whatever it said to it before', () => {
    const standing = { state: 'refused', detail: 'members only' };
    expect(verdictOn(event, { confirmed: closed })).toEqual({ standing, isFinal: true });
    expect(verdictOn(event, { sent: { kind: 'ok', message: '' }, confirmed: closed })).toEqual({
      standing,
      isFinal: true,
    });
    expect(verdictOn(event, { confirmed: away }).isFinal).toBeUndefined();
  });
});
