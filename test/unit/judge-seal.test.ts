import fc from 'fast-check';
import { judgeSealFor } from '../../activities/steps/judge-seal';
import type { RelayLimitsKnown } from '../../activities/steps/relay-objections';
import type { RelayLimits } from '../../nostr/relays/relay-information';
import type { Dated } from '../../rules/newest';

const READ_AT_S = 1_800_000_000;
const STATE = `12345678:${'0'.repeat(64)}`;
const ADDRESS = { d: 'bitspire-config:key', seen: new Map() };

/** A relay set whose quorum is all of it, with what each of its relays says of its limits. */
function relaysOf(...limits: Omit<RelayLimits, 'authRequired'>[]): RelayLimitsKnown {
  return {
    publisher: {
      impossibleBecause: async (objection) => {
        const objections = limits.flatMap((each) => objection({ ...each, authRequired: false }) ?? []);
        return objections.length === 0 ? undefined : objections.join('; ');
      },
    },
  };
}

const earlierOf = (createdAtS: number): { event: Dated; signature: string; stateFingerprint: string } => ({
  event: { id: 'e5', created_at: createdAtS },
  signature: 'sig',
  stateFingerprint: STATE,
});
const known = {
  standing: undefined,
  earlier: undefined,
  stateFingerprint: STATE,
  force: false,
  readAtS: READ_AT_S,
};

test('the event of an earlier run is sealed anew where relays no longer take its date, and reused where they do', async () => {
  const old = { ...known, earlier: earlierOf(READ_AT_S - 1_000) };
  expect(await judgeSealFor(relaysOf({ maxBehindS: 1_000 }), ADDRESS, old)).toMatchObject({ kind: 'reuse' });
  expect(await judgeSealFor(relaysOf({ maxBehindS: 999 }), ADDRESS, old)).toEqual({
    kind: 'seal',
    createdAtS: READ_AT_S - 1,
    because: 'too old',
  });
});

test('a document that would have to be dated further ahead than relays take fails with what stands there', async () => {
  const ahead = { ...known, standing: { id: 'e1', created_at: READ_AT_S + 100 } };
  await expect(judgeSealFor(relaysOf({ maxAheadS: 60 }), ADDRESS, ahead)).rejects.toMatchObject({
    type: 'NewerDocumentExists',
    message: expect.stringMatching(
      /bitspire-config:key is dated 2027-.*takes events dated up to 60 s ahead/,
    ) as string,
  });
  const far = { ...known, standing: { id: 'e1', created_at: 9e15 } };
  await expect(judgeSealFor(relaysOf({}), ADDRESS, far)).rejects.toThrow(
    /s after 1970.*more than 15 minutes/,
  );
});

test('whatever stands, was signed and is limited: what is to be signed is newer than all of it, and dated as relays take it', async () => {
  const dates = fc.option(fc.integer({ min: READ_AT_S - 5_000, max: READ_AT_S + 2_000 }), { nil: undefined });
  const limits = fc.record(
    { maxAheadS: fc.integer({ min: 1, max: 900 }), maxBehindS: fc.integer({ min: 1, max: 5_000 }) },
    { requiredKeys: [] },
  );
  await fc.assert(
    fc.asyncProperty(
      dates,
      dates,
      fc.array(limits, { maxLength: 3 }),
      fc.boolean(),
      async (standingS, earlierS, relays, force) => {
        const facts = {
          ...known,
          force,
          standing: standingS === undefined ? undefined : { id: 'e1', created_at: standingS },
          earlier: earlierS === undefined ? undefined : earlierOf(earlierS),
        };
        const mostAheadS = Math.min(...relays.map(({ maxAheadS = Infinity }) => maxAheadS), Infinity);
        const mostBehindS = Math.min(...relays.map(({ maxBehindS = Infinity }) => maxBehindS), Infinity);
        const newestS = Math.max(standingS ?? 0, earlierS ?? 0);
        let verdict;
        try {
          verdict = await judgeSealFor(relaysOf(...relays), ADDRESS, facts);
        } catch (error) {
          expect(error).toMatchObject({ type: 'NewerDocumentExists' });
          expect(newestS + 1 - READ_AT_S).toBeGreaterThan(Math.min(mostAheadS, 898));
          return;
        }
        if (verdict.kind === 'reuse') expect(READ_AT_S - (earlierS ?? 0)).toBeLessThanOrEqual(mostBehindS);
        if (verdict.kind !== 'seal') return;
        expect(verdict.createdAtS).toBeGreaterThan(newestS);
        expect(verdict.createdAtS - READ_AT_S).toBeLessThanOrEqual(Math.min(mostAheadS, 900));
      },
    ),
  );
});
