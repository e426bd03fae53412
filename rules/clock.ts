/** How another clock differs from this one. */
export interface ClockWitness {
  /** As it may be shown. */
  name: string;
  /** This clock minus the other one, milliseconds. */
  aheadMs: number;
  /** The error bound of `aheadMs`: the time of the answer, and the unit of the other clock. */
  uncertaintyMs: number;
  /** It is the clock of this same host: its agreement proves nothing. */
  isOwn?: boolean;
}

/**
 * `right`: no clock differs. `doubted`: clocks differ, but too few of them agree on another time. `wrong`:
 * several agree on another time. The names keep their order.
 */
export type ClockVerdict = {
  /** The clocks of other hosts that agree with this clock. */
  agreeing: string[];
} & (
  | { kind: 'right' }
  | { kind: 'doubted'; objecting: string[] }
  | {
      kind: 'wrong';
      objecting: string[];
      /** This clock minus the time on which they agree. */
      aheadMs: number;
    }
);

/** An error this large does no harm. Relays and bunkers refuse events with a larger one. */
export const MAX_APART_MS = 60_000;

/**
 * Judges this clock by others. One that differs may be wrong itself. Two that agree on another time are
 * believed, unless more agree with this one.
 */
export function judgeClock(witnesses: readonly ClockWitness[]): ClockVerdict {
  const objections = witnesses.filter((witness) => !isWithin(witness, 0));
  const agreeing = witnesses
    .filter((witness) => isWithin(witness, 0) && witness.isOwn !== true)
    .map(({ name }) => name);
  if (objections.length === 0) return { kind: 'right', agreeing };
  const group = largestGroup(objections);
  if (group.length < 2 || group.length < agreeing.length)
    return { kind: 'doubted', agreeing, objecting: objections.map(({ name }) => name) };
  const sorted = group.map(({ aheadMs }) => aheadMs).sort((a, b) => a - b);
  const aheadMs = sorted[Math.floor(sorted.length / 2)] as number;
  return { kind: 'wrong', agreeing, objecting: group.map(({ name }) => name), aheadMs };
}

/**
 * The largest group of clocks that agree with each other. Of two groups of one size, the one nearer to this
 * clock.
 */
function largestGroup(objections: readonly ClockWitness[]): ClockWitness[] {
  return objections
    .map((centre) => ({
      centre,
      group: objections.filter((other) => isWithin(other, centre.aheadMs, centre.uncertaintyMs)),
    }))
    .reduce<{ centre?: ClockWitness; group: ClockWitness[] }>(
      (best, each) =>
        each.group.length > best.group.length ||
        (each.group.length === best.group.length &&
          Math.abs(each.centre.aheadMs) < Math.abs(best.centre?.aheadMs ?? Infinity))
          ? each
          : best,
      { group: [] },
    ).group;
}

function isWithin({ aheadMs, uncertaintyMs }: ClockWitness, ofMs: number, uncertainMs = 0): boolean {
  return Math.abs(aheadMs - ofMs) <= MAX_APART_MS + uncertaintyMs + uncertainMs;
}

/** `20 min`, in the largest unit that leaves two digits of meaning. */
function durationOf(ms: number): string {
  const seconds = Math.abs(ms) / 1000;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 100 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** `20 min ahead of relay.a and relay.b`. */
export function apartFrom(aheadMs: number, names: readonly string[]): string {
  const [last, ...before] = [...names].reverse();
  const named = before.length === 0 ? last : `${before.reverse().join(', ')} and ${last}`;
  return `${durationOf(aheadMs)} ${aheadMs > 0 ? 'ahead of' : 'behind'} ${named}`;
}
