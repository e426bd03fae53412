import fc from 'fast-check';
import { FAILURES, type FailureType, scopeOf } from '../../contract/failures';
import { endOfPage, sharedCause } from '../../rules/page-end';
import { pauseMs } from '../../rules/patience';
import type { Dated } from '../../rules/newest';
import type { SightingOf } from '../../rules/quorum';
import { sweptVerdict } from '../../rules/sweep';

type Shown = SightingOf<Dated>;

const failure = (type: FailureType) => ({ type, message: 'why' });
const anyFailure = fc.constantFrom(...(Object.keys(FAILURES) as FailureType[])).map(failure);

describe('endOfPage', () => {
  const end = { begun: 3, open: 3, advanced: false, untried: 0, failures: [] };

  it('is tried again only where nothing but passing trouble is left', () => {
    expect(endOfPage(end)).toBe('again');
    expect(endOfPage({ ...end, advanced: true })).toBe('return');
    expect(endOfPage({ ...end, untried: 1 })).toBe('return');
    expect(endOfPage({ ...end, open: 0 })).toBe('return');
  });

  it.each<[FailureType, 'again' | 'return']>([
    ['SignerPending', 'again'],
    ['SignerApprovalPending', 'again'],
    ['SignerTimeout', 'return'],
    ['SignerBusy', 'return'],
  ])('after something has come further and one has met %s: %s', (type, expected) => {
    expect(endOfPage({ ...end, advanced: true, failures: [failure(type)] })).toBe(expected);
  });
});

describe('sharedCause', () => {
  const end = { begun: 2, open: 0, advanced: false, untried: 0 };

  it.each<[FailureType, boolean]>([
    ['SignerRefused', true],
    ['RelayRefused', true],
    ['SourceMisconfigured', true],
    ['StateInvalid', false],
    ['PlanOutdated', false],
  ])('of a page that failed for %s: %s', (type, isShared) => {
    const failures = [failure(type), failure(type)];
    expect(sharedCause({ ...end, failures })).toEqual(isShared ? failures[0] : undefined);
  });

  it('is none where a document has ended well, is open, or has failed for another reason', () => {
    const one = failure('SignerRefused');
    expect(sharedCause({ ...end, failures: [one] })).toBeUndefined();
    expect(sharedCause({ ...end, open: 1, failures: [one, one] })).toBeUndefined();
    expect(sharedCause({ ...end, failures: [one, failure('RelayRefused')] })).toBeUndefined();
  });

  it.each<[FailureType, boolean]>([
    ['SignerTimeout', true],
    ['RelayQuorumNotReached', true],
    ['SignerRefused', false],
    ['RelayRefused', false],
    ['SignerChangesEvents', true],
  ])('of a page with one open document that failed for %s: %s', (type, isShared) => {
    const failures = [failure(type)];
    expect(sharedCause({ ...end, begun: 1, failures })).toEqual(isShared ? failures[0] : undefined);
  });

  it('always is the scope of every failure', () => {
    fc.assert(
      fc.property(fc.array(anyFailure, { minLength: 1, maxLength: 5 }), (failures) => {
        const cause = sharedCause({ ...end, begun: failures.length, failures });
        return cause === undefined || failures.every(({ type }) => scopeOf(type) === scopeOf(cause.type));
      }),
    );
  });
});

describe('pauseMs', () => {
  const patience = { firstPauseMs: 1_000, maxPauseMs: 30_000 };

  it('doubles from the first pause to the longest', () => {
    expect([1, 2, 3, 4, 5, 6, 7].map((tries) => pauseMs(patience, tries))).toEqual([
      1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000,
    ]);
    expect(pauseMs(patience, 1_000)).toBe(30_000);
    expect(pauseMs(patience, 0)).toBe(1_000);
  });

  it('is what somebody knows, where somebody does', () => {
    expect(pauseMs(patience, 1, 45_000)).toBe(45_000);
  });
});

describe('sweptVerdict', () => {
  const ours = { id: 'b', created_at: 10 };
  const holds: Shown = { kind: 'event', event: ours };
  const shown = fc.constantFrom<Shown>(
    holds,
    { kind: 'nothing' },
    { kind: 'unseen' },
    { kind: 'unknown', reason: 'away' },
    { kind: 'event', event: { id: 'a', created_at: 9 } },
    { kind: 'event', event: { id: 'a', created_at: 11 } },
  );

  it.each<[string, Shown[], string]>([
    ['a quorum has it', [holds, holds, { kind: 'nothing' }], 'stands'],
    ['a newer one stands', [holds, holds, { kind: 'event', event: { id: 'c', created_at: 11 } }], 'newer'],
    [
      'one that does not answer could have it',
      [holds, { kind: 'unknown', reason: 'away' }, { kind: 'nothing' }],
      'unknown',
    ],
    ['too few have it, whoever else might', [holds, { kind: 'nothing' }, { kind: 'nothing' }], 'lost'],
  ])('%s', (_, sightings, kind) => {
    expect(sweptVerdict(ours, sightings, 2).kind).toBe(kind);
  });

  it('never says that it stands or is lost where the answers do not prove it', () => {
    fc.assert(
      fc.property(
        fc.array(shown, { maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (sightings, required) => {
          const { kind, holding } = sweptVerdict(ours, sightings, required);
          const silent = sightings.filter((each) => each.kind === 'unknown' || each.kind === 'unseen').length;
          if (kind === 'stands') return holding >= required;
          if (kind === 'lost') return holding + silent < required;
          return true;
        },
      ),
    );
  });
});
