/** Where an execution of a fleet stands. */
export interface FleetStand {
  /** Operators in work: also those whose run an earlier execution began. */
  running: number;
  /** Most operators in work. */
  atOnce: number;
  /** Operators that are loaded and not begun. */
  loaded: number;
  /** The last page of operators is loaded. */
  allLoaded: boolean;
  /** This execution has begun an operator. */
  hasBegun: boolean;
  paused: boolean;
  /** Cancelled, or broken: no further operator begins. */
  isEnding: boolean;
  /** The fleet should continue as new. */
  isHistoryLong: boolean;
}

/** `wait`: until something of the stand changes. `hand over`: to the next execution, by continue-as-new. */
export type FleetStep = 'load' | 'begin' | 'wait' | 'hand over' | 'end';

/** What a fleet does next. It ends only when every operator was begun and has ended, or when it is ending. */
export function nextOfFleet(stand: FleetStand): FleetStep {
  const { running, atOnce, loaded, allLoaded, hasBegun, paused, isEnding, isHistoryLong } = stand;
  const allBegun = allLoaded && loaded === 0;
  if (isEnding || (allBegun && running === 0)) return running === 0 ? 'end' : 'wait';
  // Every execution begins an operator if it may. So the fleet makes progress with any limit of the history.
  if (isHistoryLong && (hasBegun || paused || allBegun)) return 'hand over';
  if (paused || allBegun || running >= atOnce) return 'wait';
  return loaded > 0 ? 'begin' : 'load';
}
