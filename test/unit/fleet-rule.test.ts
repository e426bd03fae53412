import fc from 'fast-check';
import { type FleetStand, nextOfFleet } from '../../rules/fleet';

const stand: FleetStand = {
  running: 0,
  atOnce: 1,
  loaded: 2,
  allLoaded: true,
  hasBegun: true,
  paused: false,
  isEnding: false,
  isHistoryLong: false,
};

describe('a fleet', () => {
  it.each<[string, Partial<FleetStand>, string]>([
    [
      'whose last run ends as its history grows too long, with operators left',
      { isHistoryLong: true },
      'hand over',
    ],
    [
      'that is paused, with nothing in work, when its history grows too long',
      { isHistoryLong: true, paused: true, hasBegun: false },
      'hand over',
    ],
    [
      'whose history is too long before it has begun anything',
      { isHistoryLong: true, hasBegun: false },
      'begin',
    ],
    [
      'with all begun and one in work, whose history is too long',
      { isHistoryLong: true, loaded: 0, running: 1 },
      'hand over',
    ],
    ['with all begun and ended, whose history is too long', { isHistoryLong: true, loaded: 0 }, 'end'],
    [
      'that is cancelled with one in work, whose history is too long',
      { isHistoryLong: true, isEnding: true, running: 1 },
      'wait',
    ],
    ['that is cancelled with nothing in work', { isEnding: true }, 'end'],
    ['that is paused with nothing in work', { paused: true }, 'wait'],
    ['that is paused with all begun and ended', { paused: true, loaded: 0 }, 'end'],
    ['with room and nobody loaded', { loaded: 0, allLoaded: false }, 'load'],
    ['without room', { running: 1 }, 'wait'],
  ])('%s', (_, change, step) => {
    expect(nextOfFleet({ ...stand, ...change })).toBe(step);
  });
});

const happenings = fc.array(
  fc.record({
    what: fc.constantFrom('a run ends', 'pause', 'resume', 'history grows', 'cancel', 'breaks'),
    // Most fleets are neither cancelled nor broken.
    isRare: fc.nat(9).map((each) => each === 0),
  }),
  { maxLength: 200 },
);

test('whatever happens, every operator is begun once, within the limit, and none is left out unless the fleet is ending', () => {
  fc.assert(
    fc.property(
      fc.record({
        operators: fc.nat(12),
        atOnce: fc.integer({ min: 1, max: 4 }),
        page: fc.integer({ min: 1, max: 5 }),
      }),
      happenings,
      ({ operators, atOnce, page }, script) => {
        let [begun, ended, loaded, running] = [0, 0, 0, 0];
        let [hasBegun, paused, isEnding, isHistoryLong, allLoaded] = [false, false, false, false, false];
        let idle = 0;
        for (let at = 0; ;) {
          const step = nextOfFleet({
            running,
            atOnce,
            loaded,
            allLoaded,
            hasBegun,
            paused,
            isEnding,
            isHistoryLong,
          });
          if (step === 'end') break;
          if (step === 'load') {
            loaded = Math.min(page, operators - begun);
            allLoaded = begun + loaded === operators;
          } else if (step === 'begin') {
            expect(paused || isEnding || running >= atOnce).toBe(false);
            [begun, loaded, running, hasBegun] = [begun + 1, loaded - 1, running + 1, true];
          } else if (step === 'hand over') {
            expect(isEnding).toBe(false);
            // The next execution loads from behind the last operator who was begun.
            [loaded, allLoaded, hasBegun, isHistoryLong] = [0, false, false, false];
          } else {
            const next = script[at++];
            // Behind the script the world goes its way: nobody pauses, and runs end.
            if (next === undefined || next.what === 'a run ends') {
              if (running > 0) [running, ended] = [running - 1, ended + 1];
              if (next === undefined) paused = false;
              expect((idle += 1)).toBeLessThan(1_000);
            } else if (next.what === 'pause' || next.what === 'resume') paused = next.what === 'pause';
            else if (next.what === 'history grows') isHistoryLong = true;
            else if (next.isRare) isEnding = true;
          }
        }
        expect(running).toBe(0);
        expect(ended).toBe(begun);
        if (!isEnding) expect(begun).toBe(operators);
      },
    ),
  );
});
