import fc from 'fast-check';
import { FAILURES, type FailureType, scopeOf } from '../../contract/failures';
import { endOfPage, sharedCause } from '../../rules/page-end';
import { pauseMs } from '../../rules/patience';
import type { Dated } from '../../rules/newest';
import type { SendReply, SightingOf } from '../../rules/quorum';
import { isLacking, type SweptRelay, sweptVerdict } from '../../rules/sweep';

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
  type Relay = SweptRelay<Dated>;
  const ours = { id: 'b', created_at: 10 };
  const holds: Shown = { kind: 'event', event: ours };
  const nothing: Shown = { kind: 'nothing' };
  const away: Shown = { kind: 'unknown', reason: 'away' };
  const busy: SendReply = { kind: 'refused', message: 'error: busy', isFinal: false };
  const ok: SendReply = { kind: 'ok', message: '' };
  const shown = fc.constantFrom<Shown>(
    holds,
    nothing,
    { kind: 'unseen' },
    away,
    { kind: 'event', event: { id: 'a', created_at: 9 } },
    { kind: 'event', event: { id: 'a', created_at: 11 } },
  );
  const sent = fc.constantFrom<SendReply | undefined>(
    undefined,
    ok,
    busy,
    { kind: 'refused', message: 'blocked: no', isFinal: true },
    { kind: 'silent' },
    { kind: 'forwarded' },
    { kind: 'lost', reason: 'connection lost' },
  );
  const relay = fc.record<Relay>({ shown, sent, wasSilent: fc.boolean() });

  it.each<[string, Relay[], string]>([
    ['a quorum has it', [{ shown: holds }, { shown: holds }, { shown: nothing }], 'stands'],
    [
      'a newer one stands',
      [{ shown: holds }, { shown: holds }, { shown: { kind: 'event', event: { id: 'c', created_at: 11 } } }],
      'newer',
    ],
    [
      'one that does not answer could have it',
      [{ shown: holds }, { shown: away }, { shown: nothing }],
      'unknown',
    ],
    [
      'one that refuses it for the moment may take it',
      [{ shown: holds }, { shown: nothing }, { shown: nothing, sent: busy }],
      'unknown',
    ],
    [
      'one that came back without its events may take it',
      [{ shown: holds }, { shown: nothing }, { shown: nothing, wasSilent: true }],
      'unknown',
    ],
    [
      'one that took it after that does not keep it',
      [{ shown: holds }, { shown: nothing }, { shown: nothing, sent: ok, wasSilent: true }],
      'lost',
    ],
    [
      'too few have it, whoever else might',
      [{ shown: holds }, { shown: nothing }, { shown: nothing }],
      'lost',
    ],
  ])('%s', (_, relays, kind) => {
    expect(sweptVerdict(ours, relays, { required: 2, mayBeSent: true }).kind).toBe(kind);
  });

  it('never says that it stands or is lost where the answers do not prove it', () => {
    fc.assert(
      fc.property(
        fc.array(relay, { maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.boolean(),
        (relays, required, mayBeSent) => {
          const { kind, holding } = sweptVerdict(ours, relays, { required, mayBeSent });
          const silent = relays.filter(
            (each) => each.shown.kind === 'unknown' || each.shown.kind === 'unseen',
          ).length;
          if (kind === 'stands') return holding >= required;
          if (kind === 'lost') return holding + silent < required;
          return true;
        },
      ),
    );
  });

  it('is not lost while a quorum has it, or could have it by relays that may be sent it again', () => {
    fc.assert(
      fc.property(fc.array(relay, { maxLength: 5 }), fc.integer({ min: 1, max: 5 }), (relays, required) => {
        const { kind, holding } = sweptVerdict(ours, relays, { required, mayBeSent: true });
        const passing = relays.filter((each) => each.sent !== undefined && isLacking(ours, each)).length;
        return kind !== 'lost' || holding + passing < required;
      }),
    );
  });

  it('waits only for silent relays where the document is not sent any more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record<Relay>({ shown: fc.constantFrom(holds, nothing), sent, wasSilent: fc.boolean() })),
        fc.integer({ min: 1, max: 5 }),
        (relays, required) => sweptVerdict(ours, relays, { required, mayBeSent: false }).kind !== 'unknown',
      ),
    );
  });

  it('sends to no relay that is silent, has it, took it or refused it finally', () => {
    fc.assert(
      fc.property(relay, (each) => {
        const shows = 'event' in each.shown && each.shown.event?.id === ours.id;
        const isOver =
          each.sent?.kind === 'ok' ||
          each.sent?.kind === 'forwarded' ||
          (each.sent?.kind === 'refused' && each.sent.isFinal);
        return !isLacking(ours, each) || !(shows || isOver || each.shown.kind === 'unknown');
      }),
    );
  });
});
