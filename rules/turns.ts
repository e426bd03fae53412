/**
 * The order in which an attempt takes things that may have been tried before. The things with the fewest tries
 * come first. When their number of tries has risen, the next attempt begins with the next thing of this group:
 * a thing that never succeeds does not hold up the others.
 */
export function inTurn<T>(things: readonly T[], triesOf: (thing: T) => number): T[] {
  const least = Math.min(...things.map(triesOf));
  const group = things.filter((thing) => triesOf(thing) === least);
  const first = least % group.length;
  const others = things.filter((thing) => triesOf(thing) > least);
  return [...group.slice(first), ...group.slice(0, first), ...others];
}
