import fc from 'fast-check';
import { judgePlan, type KnownOfPlan } from '../../rules/plan';

const HEX = 'ab'.repeat(32);
const KEY = { written: HEX, hex: HEX, isShared: false };
const TOO_LARGE = { type: 'StateTooLarge', message: '70,000 bytes' } as const;

/** `publish`, or the outcome and why. */
function verdictOf(known: Partial<KnownOfPlan>): string {
  const all: KnownOfPlan = { key: KEY, state: 'publishable', withoutState: undefined, ...known };
  const { outcome, failureType, failureMessage } = judgePlan(all);
  if (outcome === null) return 'publish';
  return `${outcome}${failureType === null ? '' : ` ${failureType}`}: ${failureMessage}`;
}

test.each<[string, Partial<KnownOfPlan>, string]>([
  ['a state', {}, 'publish'],
  ['no rows', { state: 'none' }, 'skipped: has no state'],
  [
    'no rows, and a type that names that',
    { state: 'none', withoutState: 'keeps no hours' },
    'skipped: keeps no hours',
  ],
  ['a bad state', { state: TOO_LARGE }, 'failed StateTooLarge: 70,000 bytes'],
  [
    'no key',
    { key: { written: null, hex: undefined, isShared: false }, state: TOO_LARGE },
    'skipped: not paired yet',
  ],
  ['a blank key', { key: { written: ' \t', hex: undefined, isShared: false } }, 'skipped: not paired yet'],
  [
    'another text in place of a key',
    { key: { written: 'npub1typo', hex: undefined, isShared: false }, state: 'none' },
    'failed MachineKeyInvalid: machine_npub is not a public key (64 hex characters or npub)',
  ],
  [
    'the key of another machine',
    { key: { ...KEY, isShared: true } },
    "failed MachineKeyInvalid: machine_npub is also another machine's: they would overwrite each other's documents",
  ],
])('%s', (_, known, verdict) => expect(verdictOf(known)).toBe(verdict));

test('only a document with a state for a key that one machine has is published', () => {
  const known = fc.record({
    key: fc.record({
      written: fc.constantFrom(null, '', ' ', 'typo', HEX),
      hex: fc.constantFrom(undefined, HEX),
      isShared: fc.boolean(),
    }),
    state: fc.constantFrom<KnownOfPlan['state']>('publishable', 'none', TOO_LARGE),
    withoutState: fc.option(fc.string(), { nil: undefined }),
  });
  fc.assert(
    fc.property(known, (all) => {
      const { key, state } = all;
      const isPublishable =
        (key.written ?? '').trim() !== '' &&
        key.hex !== undefined &&
        !key.isShared &&
        state === 'publishable';
      expect(judgePlan(all).outcome === null).toBe(isPublishable);
    }),
  );
});
