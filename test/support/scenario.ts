import fc from 'fast-check';
import { compatible, type Disturbance } from './disturbances';
import type { BunkerFaultName, RelayFault } from './levers';

/** Several faults of the matrix at once. All of them heal. */
export interface Scenario {
  machines: number;
  relays: (RelayFault | undefined)[];
  /** A relay misbehaves once in this many frames. */
  relayEvery: number;
  bunker: BunkerFaultName[];
  bunkerEvery: number;
  /** Of the relay between the worker and the bunker. */
  bunkerRelay: RelayFault | undefined;
  disturbances: { what: Disturbance; afterMs: number }[];
  /** When relays and bunker are well again: from the start of the run, or from its first document. */
  healAfterMs: number;
  /** Or slow relays would keep every document from a bunker that is ill. */
  isHealedFromFirstDocument: boolean;
  /**
   * After the first run a document is deleted on every relay (NIP-09), which refuse its event from then on.
   */
  isDeleted: boolean;
}

/**
 * What scenarios of these rows are drawn from. A lever more is its line in `levers.ts` or `disturbances.ts`,
 * and its name here. What a seed plays changes with it.
 */
const ROWS = {
  '35': {
    relays: [
      'drops',
      'swallows',
      'delays',
      'refuses for now',
      'stores nothing',
      'is down',
      'demands to know',
    ],
    bunker: ['swallows', 'delays', 'repeats itself', 'is garbled', 'dies', 'says no'],
    bunkerRelay: [],
    disturbances: [
      'connections terminated',
      'serialization failures',
      'second start',
      'pause',
      'cancel',
      'state changed',
      'retry',
      'skip',
      'worker replaced',
    ],
  },
  '38-57': {
    relays: [
      'demands to know', // 49
      'forgets logins',
      'refuses logins and needs none',
      'says nothing to logins',
      'never says EOSE', // 50
      'says EOSE first',
      'says CLOSED after the events',
      'says NOTICE for EOSE', // 51
      'says NOTICE for OK',
      'closes with a reason',
      'refuses handshakes',
      'evicts', // 52
      'throttles', // 54
    ],
    bunker: [
      'encrypts with a key of its own', // 38
      'does one after the other', // 39
      'is slow',
      'answers late',
      'is rate limited', // 40
      'is busy',
      'is locked',
      'asks a person', // 41
      'has other words for no', // 43
      'gives objects',
      'writes its key in capitals',
      'says no and then yes', // 44
      'asks to approve switch_relays', // 45
      'changes the date', // 46
      'forgets its clients', // 47
    ],
    bunkerRelay: [
      'demands to know', // 49
      'forgets logins',
      'refuses logins and needs none',
      'says nothing to logins',
      'never says EOSE', // 50
      'says NOTICE for OK', // 51
      'closes with a reason',
      'refuses handshakes',
      'throttles', // 54
    ],
    disturbances: [
      'machine sold', // 55
      'machine key replaced',
      'account key changed',
      'digits beyond a number', // 57
      'state changed',
      'pause',
      'cancel',
      'retry',
      'worker replaced',
    ],
  },
} as const satisfies Record<
  string,
  { relays: RelayFault[]; bunker: BunkerFaultName[]; bunkerRelay: RelayFault[]; disturbances: Disturbance[] }
>;

export type Rows = keyof typeof ROWS;

const relaysOf = (faults: readonly RelayFault[]) =>
  fc.array(fc.option(fc.constantFrom(...faults), { nil: undefined }), { minLength: 3, maxLength: 3 });
const disturbancesOf = (names: readonly Disturbance[]) =>
  fc.array(fc.record({ what: fc.constantFrom(...names), afterMs: fc.integer({ min: 0, max: 1_500 }) }), {
    maxLength: 3,
  });
const healAfterMs = fc.integer({ min: 500, max: 2_500 });

const SCENARIOS: Record<Rows, fc.Arbitrary<Scenario>> = {
  '35': fc
    .record({
      machines: fc.integer({ min: 1, max: 4 }),
      relays: relaysOf(ROWS['35'].relays),
      relayEvery: fc.integer({ min: 1, max: 4 }),
      bunker: fc.option(fc.constantFrom<BunkerFaultName[]>(...ROWS['35'].bunker), { nil: undefined }),
      bunkerEvery: fc.integer({ min: 2, max: 5 }),
      disturbances: disturbancesOf(ROWS['35'].disturbances),
      healAfterMs,
    })
    .map(({ bunker, ...drawn }) => ({
      ...drawn,
      bunker: bunker === undefined ? [] : [bunker],
      bunkerRelay: undefined,
      isHealedFromFirstDocument: false,
      isDeleted: false,
    })),
  '38-57': fc
    .record({
      // One can be sold, and another is left.
      machines: fc.integer({ min: 2, max: 3 }),
      relays: relaysOf(ROWS['38-57'].relays),
      relayEvery: fc.integer({ min: 1, max: 4 }),
      bunker: fc.uniqueArray(fc.constantFrom<BunkerFaultName[]>(...ROWS['38-57'].bunker), {
        minLength: 1,
        maxLength: 2,
      }),
      bunkerEvery: fc.integer({ min: 2, max: 4 }),
      bunkerRelay: fc.option(fc.constantFrom<RelayFault[]>(...ROWS['38-57'].bunkerRelay), { nil: undefined }),
      disturbances: disturbancesOf(ROWS['38-57'].disturbances).map(compatible),
      healAfterMs,
      isDeleted: fc.boolean(),
    })
    .map((drawn) => ({ ...drawn, isHealedFromFirstDocument: true })),
};

/** The scenario of a seed: the same for ever, as long as the lists above are the same. */
export function scenarioOf(rows: Rows, seed: number): Scenario {
  const [scenario] = fc.sample(SCENARIOS[rows], { seed, numRuns: 1 });
  if (scenario === undefined) throw new Error('fast-check gave no scenario');
  return scenario;
}

export function described(scenario: Scenario): string {
  const { machines, relays, bunker, bunkerRelay, disturbances, healAfterMs: wellAfterMs } = scenario;
  const parts = [
    `${machines} machines`,
    ...relays.flatMap((fault, index) => (fault ? [`relay ${index + 1} ${fault}`] : [])),
    ...bunker.map((fault) => `bunker ${fault}`),
    ...(bunkerRelay ? [`its relay ${bunkerRelay}`] : []),
    ...disturbances.map(({ what, afterMs }) => `${what} after ${afterMs} ms`),
    `well after ${wellAfterMs} ms`,
    ...(scenario.isDeleted ? ['a document deleted then'] : []),
  ];
  return parts.join(', ');
}
