import fc from 'fast-check';
import type { Dated } from '../../rules/newest';
import { placementOf, type SendReply, type SightingOf } from '../../rules/quorum';
import { isRefusedFinally, needsReadBack } from '../../rules/read-back';

const EVENT: Dated = { id: 'e5', created_at: 100 };
const HELDBACK = { traffic: 'events', words: '', wasTried: true, untilMs: 0, deniedForMs: 0 } as const;

const shows = (event: Dated): SightingOf<Dated> => ({ kind: 'event', event });
const sightings = fc.constantFrom<SightingOf<Dated> | undefined>(
  undefined,
  { kind: 'nothing' },
  { kind: 'unseen' },
  { kind: 'unknown', reason: 'silent', isSilent: true },
  shows(EVENT),
  shows({ id: 'e1', created_at: 200 }),
  shows({ id: 'e9', created_at: 1 }),
);
const replies = fc.constantFrom<SendReply | undefined>(
  undefined,
  { kind: 'ok', message: '' },
  { kind: 'silent' },
  { kind: 'forwarded' },
  { kind: 'lost', reason: 'gone' },
  { kind: 'refused', message: 'error: later', isFinal: false },
  { kind: 'refused', message: 'blocked:', isFinal: true },
  { kind: 'heldback', heldback: HELDBACK },
);

test('a relay is not read back exactly where that changes nothing: it shows the event or a newer one, or did not take it', () => {
  fc.assert(
    fc.property(sightings, replies, (seen, sent) => {
      const decided = seen?.kind === 'event' && seen.event.id !== 'e9';
      const notTaken = sent?.kind === 'heldback' || (sent?.kind === 'refused' && sent.isFinal);
      expect(needsReadBack(EVENT, { seen, sent })).toBe(!decided && !notTaken);
    }),
  );
});

test('refusals make a quorum impossible exactly where the placement says so that nothing was seen for', () => {
  fc.assert(
    fc.property(
      fc.array(replies, { minLength: 1, maxLength: 6 }),
      fc.integer({ min: 1, max: 6 }),
      (sent, required) => {
        const given = sent.filter((reply) => reply !== undefined);
        const evidence = sent.map((reply, index) => [`relay ${index}`, { sent: reply }] as const);
        expect(isRefusedFinally(given, { relays: sent.length, required })).toBe(
          placementOf(EVENT, evidence, required).hopeless,
        );
      },
    ),
  );
});
