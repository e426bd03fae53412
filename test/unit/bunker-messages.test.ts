import fc from 'fast-check';
import { parseAnswer, presentableRefusal, refusalOf } from '../../nostr/bunker/messages';

describe('parseAnswer', () => {
  it('reads result and error', () => {
    expect(parseAnswer('{"id":"1","result":"ack"}')).toEqual({ id: '1', result: 'ack', error: '' });
    expect(parseAnswer('{"id":"1","result":"","error":"no"}')).toEqual({ id: '1', result: '', error: 'no' });
    expect(parseAnswer('{"id":"1","result":null,"error":null}')).toEqual({ id: '1', result: '', error: '' });
    expect(parseAnswer('{"id":"1","result":"x","error":false}')).toEqual({ id: '1', result: 'x', error: '' });
  });

  it('takes a signed event as an object, and an error as an object or a number, for what they say', () => {
    const event = { kind: 30078, tags: [['d', 'x']] };
    expect(parseAnswer(JSON.stringify({ id: '1', result: event }))?.result).toBe(JSON.stringify(event));
    const error = { code: -32_000, message: 'Not authorized' };
    expect(parseAnswer(JSON.stringify({ id: '1', result: null, error }))?.error).toBe(
      '-32000 Not authorized',
    );
    expect(parseAnswer('{"id":"1","error":7}')?.error).toBe('7');
    for (const none of ['{}', '[]', '0', 'true', 'false', 'null'])
      expect(parseAnswer(`{"id":"1","result":"x","error":${none}}`)).toEqual({
        id: '1',
        result: 'x',
        error: '',
      });
  });

  it.each([
    [''],
    ['ack'],
    ['null'],
    ['7'],
    ['"text"'],
    ['[]'],
    ['[{"id":"1","result":"ack"}]'],
    ['{}'],
    ['{"id":7,"result":"ack"}'],
    ['{"result":"ack"}'],
    ['{"id":"1","result":"ack"'],
  ])('finds no answer in %s', (text) => {
    expect(parseAnswer(text)).toBeUndefined();
  });

  it('does not take a request for an answer, because a relay can send ours back', () => {
    const request = { id: '1', method: 'sign_event', params: ['{}'] };
    expect(parseAnswer(JSON.stringify(request))).toBeUndefined();
  });

  it('never throws, and gives texts only', () => {
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record({ id: fc.anything(), result: fc.anything(), error: fc.anything() })
        .map((value) => json(value)),
    );
    fc.assert(
      fc.property(text, (message) => {
        const answer = parseAnswer(message);
        if (answer === undefined) return;
        expect(Object.values(answer).map((value) => typeof value)).toEqual(['string', 'string', 'string']);
      }),
      { numRuns: 500 },
    );
  });
});

function json(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    return '';
  }
}

describe('refusalOf', () => {
  const CLIENT = 'it does not know or allow this client';
  const APPROVAL = 'a person has to approve it there first';
  const KIND = 'it does not sign this kind of event for this client';

  it.each([
    ['permission denied', CLIENT],
    ['Permission denied, please try again', CLIENT],
    ['Not authorized', CLIENT],
    ['unauthorized', CLIENT],
    ['-32000 Not authorized', CLIENT],
    ['User rejected the request', 'denied'],
    ['Request not approved by the user', 'denied'],
    ['approval denied', 'denied'],
    ['refusing to sign this event', 'denied'],
    ['denied', 'denied'],
    ['pending approval was rejected', 'denied'],
    ['permission denied: rate limit', CLIENT],
    ['connection expired', 'denied'],
    ['spending limit: not allowed', 'denied'],
    ['kind 30078 is not in signing.allowed_kinds', KIND],
    ['not allowed to sign kind 30078', KIND],
    ['Invalid secret', 'the pairing secret is wrong or used up'],
    ['Invalid secret, try again', 'the pairing secret is wrong or used up'],
    ['invalid passphrase', 'its own password is wrong'],
    ['Method not implemented', 'it does not support this method'],
    ['method not found', 'it does not support this method'],
  ])('%p is final: %s', (error, reason) => {
    expect(refusalOf(error)).toEqual({ reason, meaning: 'final' });
  });

  it.each([
    ['pending approval', APPROVAL, 'later'],
    ['Request is awaiting approval', APPROVAL, 'later'],
    ['approval required', APPROVAL, 'later'],
    ['requires approval', APPROVAL, 'later'],
    ['must be approved first', APPROVAL, 'later'],
    ['not yet approved', APPROVAL, 'later'],
    ['Unauthorized: pending approval', APPROVAL, 'later'],
    ['permission request pending', APPROVAL, 'later'],
    ['waiting for permission', APPROVAL, 'later'],
    ['not approved within 60 seconds', APPROVAL, 'later'],
    ['request expired', 'it timed out', 'later'],
    ['blocked: rate limited', 'rate limited', 'slower'],
    ['rate limit exceeded, client blocked for 60s', 'rate limited', 'slower'],
    ['429', 'rate limited', 'slower'],
    ['Signer not ready', 'it cannot do it now', 'slower'],
    ['rate-limited: slow down', 'rate limited', 'slower'],
    ['Rate limited', 'rate limited', 'slower'],
    ['Too Many Requests', 'rate limited', 'slower'],
    ['signer is busy, try again later', 'it cannot do it now', 'slower'],
    ['internal error', 'it cannot do it now', 'slower'],
    ['the signer is locked', 'it is locked', 'later'],
    ['please unlock the vault', 'it is locked', 'later'],
    ['timeout', 'it timed out', 'later'],
    ['request timed out', 'it timed out', 'later'],
  ])('%p passes: %s', (error, reason, meaning) => {
    expect(refusalOf(error)).toEqual({ reason, meaning });
  });

  it('takes no longer for a long text than for a short one', () => {
    const before = process.cpuUsage();
    for (let times = 0; times < 200; times += 1) refusalOf('kind not '.repeat(8_000));
    // Not by the clock: a busy machine stops a process for seconds.
    expect(process.cpuUsage(before).user / 1_000).toBeLessThan(2_000);
  });

  it('never quotes: whatever a bunker says, only our own words come out', () => {
    const words = new Set<string>();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (error) => {
        words.add(refusalOf(error).reason);
      }),
    );
    for (const leak of [
      'nsec1canary',
      '{"fixed_fee":31337}',
      'bunker://canary',
      'https://approve.example.com/?t=canary',
    ]) {
      words.add(refusalOf(leak).reason);
      words.add(refusalOf(`denied: ${leak}`).reason);
    }
    expect([...words].join(' ')).not.toMatch(/canary|31337|nsec1|https:/);
    expect(words.size).toBeLessThanOrEqual(14);
  });
});

test('of what a relay of a bunker says, only the word of the protocol is repeated', () => {
  expect(presentableRefusal('restricted: {"fixed_fee":77}')).toBe('restricted');
  for (const words of ['{"fixed_fee":77}', 'fixed-fee: 77', 'see blocked: 77', 'blocked 77', ''])
    expect(presentableRefusal(words)).toBe('for a reason of its own');
});
