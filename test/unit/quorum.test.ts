import fc from 'fast-check';
import { type Dated, isNewer } from '../../rules/newest';
import {
  canNeverAnswer,
  decidedBy,
  type Evidence,
  haveAnswered,
  type Heldback,
  placementOf,
  quorumSize,
  type SendReply,
  type SightingOf,
  verdictOn,
  waitedFor,
} from '../../rules/quorum';

type Sighting = SightingOf<Dated>;

const event: Dated = { id: 'e5', created_at: 100 };
const older: Dated = { id: 'e0', created_at: 99 };
const newer: Dated = { id: 'e9', created_at: 101 };
const shows = (shown: Dated): Sighting => ({ kind: 'event', event: shown });
const unknown: Sighting = { kind: 'unknown', reason: 'no answer to a read' };
const away: Sighting = { kind: 'unknown', reason: 'LNbits has lost it', isSilent: true, returnsLater: true };
const ok: SendReply = { kind: 'ok', message: 'thanks' };
const final: SendReply = { kind: 'refused', message: 'blocked: no', isFinal: true };
const passing: SendReply = { kind: 'refused', message: 'rate-limited: wait', isFinal: false };
const ofItself: SendReply = {
  kind: 'refused',
  message: 'deleted: by its author',
  isFinal: true,
  isForItself: true,
};
const heldback: Heldback = {
  traffic: 'events',
  words: 'rate-limited: slow down',
  untilMs: 5_000,
  deniedForMs: 0,
  wasTried: true,
};
const slow: SendReply = { kind: 'heldback', heldback };
const lost: SendReply = { kind: 'lost', reason: 'connection closed (1006)' };

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

describe('a look', () => {
  it('has been answered by relays that show something or nothing, and not by those that could not be asked', () => {
    const seen: Sighting[] = [shows(older), { kind: 'nothing' }, { kind: 'unseen' }, unknown, away];
    expect(haveAnswered(seen, 3)).toBe(true);
    expect(haveAnswered(seen, 4)).toBe(false);
  });

  it('decides where the event stands or a newer one does', () => {
    expect(decidedBy(shows(event), event)).toBe('holds');
    expect(decidedBy(shows(newer), event)).toBe('newer');
    // Of one second the lowest id wins.
    expect(decidedBy(shows({ id: 'e1', created_at: 100 }), event)).toBe('newer');
    expect(decidedBy(shows({ id: 'e6', created_at: 100 }), event)).toBeUndefined();
    for (const sighting of [shows(older), unknown, { kind: 'nothing' } as const, undefined])
      expect(decidedBy(sighting, event)).toBeUndefined();
  });
});

describe('the verdict on one relay', () => {
  it.each<[string, Evidence<Dated>, object]>([
    ['had it before', { seen: shows(event) }, { standing: { state: 'holds' }, stoodAlready: true }],
    ['had it before, whatever came of more', { seen: shows(event), sent: final }, { stoodAlready: true }],
    ['had a newer one before', { seen: shows(newer) }, { standing: { state: 'newer', detail: 'e9' }, newer }],
    ['shows it', { seen: shows(older), sent: ok, confirmed: shows(event) }, { standing: { state: 'holds' } }],
    ['shows it, and refused it', { sent: final, confirmed: shows(event) }, { standing: { state: 'holds' } }],
    [
      'shows it after silence',
      { sent: { kind: 'silent' }, confirmed: shows(event) },
      { standing: { state: 'holds' } },
    ],
    ['shows a newer one', { sent: ok, confirmed: shows(newer) }, { standing: { state: 'newer' }, newer }],
    [
      'refused it for good',
      { sent: final },
      { standing: { state: 'refused', detail: 'blocked: no' }, isFinal: true },
    ],
    [
      'refused it for now',
      { sent: passing, confirmed: { kind: 'nothing' } },
      { standing: { state: 'refused', detail: 'rate-limited: wait' } },
    ],
    [
      'took it and shows nothing',
      { sent: ok, confirmed: { kind: 'nothing' } },
      { standing: { state: 'absent', detail: 'thanks' }, isForItself: true },
    ],
    [
      'refused it for itself',
      { sent: ofItself },
      { standing: { state: 'refused', detail: 'deleted: by its author' }, isFinal: true, isForItself: true },
    ],
    [
      'takes events slowly',
      { sent: slow },
      { standing: { state: 'refused', detail: 'rate-limited: slow down' }, heldback },
    ],
    [
      'takes events slowly, and has it all the same',
      { sent: slow, confirmed: shows(event) },
      { standing: { state: 'holds' } },
    ],
    [
      'takes questions slowly',
      { sent: ok, confirmed: { kind: 'unknown', reason: 'slow', heldback } },
      { standing: { state: 'unreachable', detail: 'slow' }, heldback },
    ],
    [
      'said nothing and shows nothing',
      { sent: { kind: 'silent' }, confirmed: { kind: 'nothing' } },
      { standing: { state: 'absent', detail: 'no OK' } },
    ],
    [
      'took it and shows an older one',
      { sent: ok, confirmed: shows(older) },
      { standing: { state: 'older', detail: 'thanks' }, isForItself: true },
    ],
    ['was only read', { confirmed: { kind: 'nothing' } }, { standing: { state: 'absent' } }],
    [
      'was lost on the way',
      { sent: lost, confirmed: { kind: 'nothing' } },
      { standing: { state: 'unreachable', detail: 'connection closed (1006)' } },
    ],
    [
      'cannot be read',
      { sent: ok, confirmed: unknown },
      { standing: { state: 'unreachable', detail: 'no answer to a read' } },
    ],
    [
      'comes back by itself',
      { sent: { kind: 'forwarded' }, confirmed: away },
      { standing: { state: 'unreachable', detail: 'LNbits has lost it' }, returnsLater: true },
    ],
    [
      'is a gateway that shows nothing',
      { sent: { kind: 'forwarded' }, confirmed: { kind: 'unseen' } },
      { standing: { state: 'unreachable', detail: 'not seen through the gateway' } },
    ],
    ['has not answered', { sent: ok }, { standing: { state: 'unreachable', detail: 'no answer yet' } }],
    ['was not asked', {}, { standing: { state: 'unreachable', detail: 'no answer yet' } }],
  ])('that %s', (_, evidence, expected) => {
    const verdict = verdictOn(event, evidence);
    expect(verdict).toEqual(expect.objectContaining({ ...expected, standing: verdict.standing }));
    expect(verdict.standing).toMatchObject((expected as { standing?: object }).standing ?? {});
    const { standing: __, ...rest } = expected as { standing?: object };
    expect(Object.keys(verdict).sort()).toEqual(['standing', ...Object.keys(rest)].sort());
  });
});

const dated = fc.record({
  id: fc.constantFrom('e1', 'e5', 'e9'),
  created_at: fc.integer({ min: 98, max: 102 }),
});
const sighting: fc.Arbitrary<Sighting> = fc.oneof(
  dated.map(shows),
  fc.constant(shows(event)),
  fc.constantFrom<Sighting>({ kind: 'nothing' }, { kind: 'unseen' }, unknown, away),
);
const reply = fc.constantFrom<SendReply>(
  ok,
  final,
  ofItself,
  passing,
  slow,
  lost,
  { kind: 'silent' },
  { kind: 'forwarded' },
);
const evidence: fc.Arbitrary<Evidence<Dated>> = fc.record({
  seen: fc.option(sighting, { nil: undefined }),
  sent: fc.option(reply, { nil: undefined }),
  confirmed: fc.option(sighting, { nil: undefined }),
});
const relays = fc
  .array(evidence, { minLength: 1, maxLength: 7 })
  .map((all) => all.map((each, index) => [`wss://relay-${index}`, each] as const));
const size = fc.integer({ min: 1, max: 7 });

/** Of one event there is one date. */
const isOurs = (each: Sighting | undefined): boolean => each?.kind === 'event' && each.event.id === event.id;
const shownBy = (all: readonly (readonly [string, Evidence<Dated>])[]): Dated[] =>
  all
    .flatMap(([, { seen, confirmed }]) => [seen, confirmed])
    .flatMap((each) => (each?.kind === 'event' ? [each.event] : []));

describe('the placement on all relays', () => {
  it('counts a relay only where the event was seen', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const placement = placementOf(event, all, required);
        expect(Object.keys(placement.relays)).toEqual(all.map(([name]) => name));
        for (const [name, { seen, confirmed }] of all) {
          const holds = placement.relays[name]?.state === 'holds';
          // Words are never enough.
          if (holds) expect(isOurs(seen) || isOurs(confirmed)).toBe(true);
        }
        const states = Object.values(placement.relays).map(({ state }) => state);
        expect(placement.holding).toBe(states.filter((state) => state === 'holds').length);
        expect(placement.required).toBe(required);
      }),
    );
  });

  it('is the same in whatever order the relays are', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const { newer: one, ...forwards } = placementOf(event, all, required);
        const { newer: other, ...backwards } = placementOf(event, [...all].reverse(), required);
        expect(backwards).toEqual(forwards);
        expect(other).toEqual(one);
      }),
    );
  });

  it('is hopeless only where final refusals leave too few relays', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const { hopeless, holding, relays: standings } = placementOf(event, all, required);
        const final = all.filter(
          ([name, { sent }]) =>
            standings[name]?.state === 'refused' && sent?.kind === 'refused' && sent.isFinal,
        ).length;
        expect(hopeless).toBe(all.length - final < required);
        if (holding >= required) expect(hopeless).toBe(false);
      }),
    );
  });

  it('stood already only where the quorum holds it, and waits only where it does not', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const placement = placementOf(event, all, required);
        if (placement.stoodAlready) {
          expect(placement.holding).toBeGreaterThanOrEqual(required);
          expect(all.filter(([, { seen }]) => isOurs(seen)).length).toBeGreaterThanOrEqual(required);
        }
        if (placement.waitsForReturn) {
          const returning = all.filter(([, { confirmed }]) => confirmed === away).length;
          expect(placement.holding).toBeLessThan(required);
          expect(placement.holding + returning).toBeGreaterThanOrEqual(required);
        }
      }),
    );
  });

  it('waits for a slow relay only where the quorum comes with those that are slow', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const { waitsFor, holding, hopeless } = placementOf(event, all, required);
        const slowOnes = all.filter(([, each]) => verdictOn(event, each).heldback !== undefined).length;
        expect(waitsFor !== undefined).toBe(holding < required && holding + slowOnes >= required);
        if (waitsFor !== undefined) expect(hopeless).toBe(false);
      }),
    );
  });

  it('needs another event only where this one can never stand, and another one could', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const { needsAnother, holding, relays: standings } = placementOf(event, all, required);
        const verdicts = all.map(([, each]) => verdictOn(event, each));
        const against = verdicts.filter(({ isFinal, isForItself }) => isFinal || isForItself).length;
        const closed = verdicts.filter(({ isFinal, isForItself }) => isFinal && !isForItself).length;
        expect(needsAnother === true).toBe(
          all.length - against < required && all.length - closed >= required,
        );
        if (needsAnother) expect(holding).toBeLessThan(required);
        if (needsAnother) expect(Object.values(standings).some(({ state }) => state !== 'holds')).toBe(true);
      }),
    );
  });

  it('names the newest of what is newer, and nothing that is not', () => {
    fc.assert(
      fc.property(relays, size, (all, required) => {
        const found = placementOf(event, all, required).newer;
        if (found === undefined) return;
        expect(found.id !== event.id && isNewer(found, event)).toBe(true);
        expect(shownBy(all)).toContain(found);
      }),
    );
  });

  it('gets no worse where one relay more shows the event', () => {
    fc.assert(
      fc.property(relays, size, fc.nat(), (all, required, which) => {
        const index = which % all.length;
        const before = placementOf(event, all, required);
        const better = all.map(([name, each], place) =>
          place === index ? ([name, { ...each, confirmed: shows(event) }] as const) : ([name, each] as const),
        );
        const after = placementOf(event, better, required);
        expect(after.holding).toBeGreaterThanOrEqual(before.holding);
        if (!before.hopeless) expect(after.hopeless).toBe(false);
      }),
    );
  });
});

describe('a relay that does not let us in', () => {
  const closed: SightingOf<never> = { kind: 'unknown', reason: 'members only', isFinal: true };
  const away: SightingOf<never> = { kind: 'unknown', reason: 'away' };

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

describe('relays that are slow', () => {
  const by = (relay: string, untilMs: number) => ({ ...heldback, relay, untilMs });

  it('are waited for until the one with which the quorum is there', () => {
    const all = [by('c', 30), by('a', 10), by('b', 20)];
    expect([0, 1, 2, 3, 4].map((lacking) => waitedFor(all, lacking)?.relay)).toEqual([
      undefined,
      'a',
      'b',
      'c',
      undefined,
    ]);
  });
});
