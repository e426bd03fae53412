import fc from 'fast-check';
import { meaningOfRefusal, saysTooMuch } from '../../nostr/relays/refusals';

describe('meaningOfRefusal', () => {
  it.each([
    ['duplicate: already have this event', 'look'],
    ['replaced: have newer event', 'look'],
    ['rate-limited: slow down, please', 'slow down'],
    ['rate limited', 'slow down'],
    ['Exceeded max events per hour limit (20)!', 'slow down'],
    ['error: too many events', 'slow down'],
    ['error: could not connect to the database', 'retry'],
    ['pow: difficulty 25>=24 is needed', 'final'],
    ['blocked: you are banned', 'final'],
    ['blocked: pubkey not admitted', 'final'],
    ['blocked: no reason', 'final'],
    ['blocked: this event has been deleted', 'another'],
    ['deleted: user requested deletion', 'another'],
    ['invalid: event creation date is too far off', 'another'],
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
        expect(['retry', 'slow down', 'another', 'final', 'authenticate', 'look']).toContain(
          meaningOfRefusal(message),
        );
      }),
    );
  });
});

describe('saysTooMuch', () => {
  it.each([
    'rate-limited: there is a bug in the client, no one should be making so many requests',
    'rate limited',
    'Rate limit exceeded',
    'slow down',
    'ERROR: too many concurrent REQs',
    'you are noting too much',
  ])('hears it in "%s"', (words) => expect(saysTooMuch(words)).toBe(true));

  it.each([
    'ERROR: bad req: too many filters',
    'error: could not connect to the database',
    'Maximum number of filters (10) exceeded.',
    'restricted: members only',
    '',
  ])('does not in "%s"', (words) => expect(saysTooMuch(words)).toBe(false));
});
