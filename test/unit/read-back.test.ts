import fc from 'fast-check';
import type { Dated } from '../../rules/newest';
import type { SendReply } from '../../rules/quorum';
import { isRefusedForGood, needsReadBack } from '../../rules/read-back';

const event: Dated = { id: 'e5', created_at: 100 };
const newer: Dated = { id: 'e9', created_at: 101 };
const ok: SendReply = { kind: 'ok', message: '' };
const refused = (isFinal: boolean): SendReply => ({ kind: 'refused', message: 'blocked: no', isFinal });

describe('needsReadBack', () => {
  it.each<[string, SendReply | undefined, boolean]>([
    ['it was not sent', undefined, true],
    ['the relay said OK: that is no proof that it has kept it', ok, true],
    ['a passing refusal', refused(false), true],
    ['a final refusal', refused(true), false],
  ])('where %s: %s', (_, sent, expected) => {
    expect(needsReadBack(event, { sent, seen: undefined })).toBe(expected);
  });

  it('is over where the event, or a newer one, was seen there', () => {
    for (const shown of [event, newer])
      expect(needsReadBack(event, { sent: ok, seen: { kind: 'event', event: shown } })).toBe(false);
  });
});

describe('isRefusedForGood', () => {
  it('is so exactly where too few relays are left that may still take it', () => {
    const replies = fc.array(fc.constantFrom(ok, refused(true), refused(false)), { maxLength: 7 });
    fc.assert(
      fc.property(replies, fc.integer({ min: 1, max: 7 }), (each, required) => {
        const mayTakeIt = each.filter(
          ({ kind, ...reply }) => kind === 'ok' || !('isFinal' in reply && reply.isFinal),
        );
        expect(isRefusedForGood(each, { relays: each.length, required })).toBe(mayTakeIt.length < required);
      }),
    );
  });
});
