import fc from 'fast-check';
import { isNewer, newestOf } from '../../rules/newest';
import { areComparable, isOutOfDate, judgeSeal, reasonToSign } from '../../rules/seal';

const KEY = '0a1b2c3d';
const SAME = `${KEY}:${'1'.repeat(64)}`;
const OTHER = `${KEY}:${'2'.repeat(64)}`;
const OTHER_KEY = `ffffffff:${'1'.repeat(64)}`;
const READ_AT_S = 1_800_000_000;

const event = (createdAtS: number, id = 'b') => ({ id: id.repeat(64), created_at: createdAtS });
const known = {
  standing: undefined,
  earlier: undefined,
  stateFingerprint: SAME,
  force: false,
  readAtS: READ_AT_S,
};
const signed = (createdAtS: number, stateFingerprint = SAME) => ({
  event: event(createdAtS),
  signature: 'c'.repeat(128),
  stateFingerprint,
});

describe('judgeSeal', () => {
  it('dates the first document of an address a second before its state was read', () => {
    expect(judgeSeal(known)).toEqual({ kind: 'seal', createdAtS: READ_AT_S - 1, because: 'first' });
  });

  it('takes the event of an earlier run where state and standing are the same', () => {
    const earlier = signed(READ_AT_S - 500);
    expect(judgeSeal({ ...known, earlier, standing: earlier.event })).toEqual({
      kind: 'reuse',
      event: earlier.event,
      signature: earlier.signature,
    });
    expect(judgeSeal({ ...known, earlier })).toMatchObject({ kind: 'reuse' });
  });

  it.each([
    ['changed', { earlier: signed(1_000, OTHER) }],
    ['other key', { earlier: signed(1_000, OTHER_KEY) }],
    ['unsigned', { earlier: { ...signed(1_000), signature: null } }],
    ['too old', { earlier: signed(1_000), isTooOld: true }],
    ['forced', { earlier: signed(1_000), force: true }],
    ['newer stands', { earlier: signed(1_000), standing: event(1_001) }],
  ])('signs anew: %s', (because, facts) => {
    expect(judgeSeal({ ...known, ...facts })).toEqual({ kind: 'seal', createdAtS: READ_AT_S - 1, because });
  });

  it('waits until what stands a little ahead lies behind, so that a save of the next seconds is newer', () => {
    expect(judgeSeal({ ...known, standing: event(READ_AT_S + 5) })).toEqual({
      kind: 'wait',
      readAgainAtS: READ_AT_S + 7,
      because: 'first',
    });
  });

  it('dates behind what stands further ahead, and refuses what no relay would take', () => {
    expect(judgeSeal({ ...known, standing: event(READ_AT_S + 100) })).toMatchObject({
      kind: 'seal',
      createdAtS: READ_AT_S + 101,
    });
    expect(judgeSeal({ ...known, standing: event(READ_AT_S + 1_800) })).toEqual({
      kind: 'too far ahead',
      createdAtS: READ_AT_S + 1_801,
    });
  });

  it('is newer than whatever stands and was sealed, never dated behind the read by more than it has to be', () => {
    const dates = fc.option(fc.integer({ min: READ_AT_S - 3_600, max: READ_AT_S + 3_600 }), {
      nil: undefined,
    });
    fc.assert(
      fc.property(dates, dates, fc.boolean(), fc.boolean(), (standingS, earlierS, force, same) => {
        const facts = {
          ...known,
          force,
          standing: standingS === undefined ? undefined : event(standingS, 'a'),
          earlier: earlierS === undefined ? undefined : signed(earlierS, same ? SAME : OTHER),
        };
        const verdict = judgeSeal(facts);
        const newest = newestOf([facts.standing, facts.earlier?.event].flatMap((each) => each ?? []));
        switch (verdict.kind) {
          case 'reuse':
            return !force && same && newest?.id === facts.earlier?.event.id;
          case 'wait':
            // At that time the usual date is late enough.
            return newest !== undefined && verdict.readAgainAtS - 1 > newest.created_at;
          case 'too far ahead':
            return verdict.createdAtS > READ_AT_S + 890;
          case 'seal': {
            const isUsual = verdict.createdAtS === READ_AT_S - 1;
            const isNewest = newest === undefined || verdict.createdAtS > newest.created_at;
            return isNewest && (isUsual || verdict.createdAtS === (newest?.created_at ?? 0) + 1);
          }
        }
      }),
    );
  });

  it('gives a reason exactly where it does not reuse', () => {
    const fingerprints = fc.constantFrom(SAME, OTHER, OTHER_KEY);
    fc.assert(
      fc.property(fingerprints, fc.boolean(), fc.boolean(), (fingerprint, force, isSigned) => {
        const earlier = { ...signed(1_000, fingerprint), signature: isSigned ? 'c' : null };
        const facts = { ...known, earlier, force };
        const ofPlan = { ...facts, newerStands: false, earlier: { isSigned, stateFingerprint: fingerprint } };
        return (judgeSeal(facts).kind === 'reuse') === (reasonToSign(ofPlan) === undefined);
      }),
    );
  });
});

describe('isNewer', () => {
  it('is a total order: later, and of the same second the lower id (NIP-01)', () => {
    expect(isNewer(event(2, 'f'), event(1, '0'))).toBe(true);
    expect(isNewer(event(1, '0'), event(1, 'f'))).toBe(true);
    expect(isNewer(event(1), event(1))).toBe(false);
  });
});

describe('isOutOfDate', () => {
  it('is said only of fingerprints of one key', () => {
    expect(isOutOfDate(SAME, OTHER)).toBe(true);
    expect(isOutOfDate(SAME, SAME)).toBe(false);
    expect(isOutOfDate(null, OTHER)).toBe(false);
    expect(isOutOfDate(OTHER_KEY, OTHER)).toBe(false);
    expect(areComparable(SAME, OTHER_KEY)).toBe(false);
  });
});
