import fc from 'fast-check';
import { meaningOfRefusal } from '../../nostr/relays/refusals';

describe('meaningOfRefusal', () => {
  it.each([
    ['duplicate: already have this event', 'look'],
    ['replaced: have newer event', 'look'],
    ['rate-limited: slow down', 'retry'],
    ['error: could not connect to the database', 'retry'],
    ['pow: difficulty 25>=24 is needed', 'final'],
    ['blocked: you are banned', 'final'],
    ['invalid: event creation date is too far off', 'final'],
    ['restricted: not on the list', 'final'],
    ['mute: no one was listening', 'final'],
    ['auth-required: we only take events of members', 'authenticate'],
  ])('reads "%s" as %s', (message, meaning) => {
    expect(meaningOfRefusal(message)).toBe(meaning);
  });

  it.each([
    [''],
    ['no'],
    ['blocked'],
    ['blocked by policy: x'],
    ['BLOCKED: x'],
    [' blocked: x'],
    ['shadow-banned: x'],
    ['constructor: x'],
    ['__proto__: x'],
    [': x'],
  ])('retries "%s", which has no prefix of the table', (message) => {
    expect(meaningOfRefusal(message)).toBe('retry');
  });

  it('has a meaning for whatever a relay says', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' })), (message) => {
        expect(['retry', 'final', 'authenticate', 'look']).toContain(meaningOfRefusal(message));
      }),
    );
  });
});
