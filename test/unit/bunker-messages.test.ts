import fc from 'fast-check';
import { parseAnswer, presentableError, presentableRefusal } from '../../nostr/bunker/messages';

describe('parseAnswer', () => {
  it('reads result and error, and takes what is no text for nothing', () => {
    expect(parseAnswer('{"id":"1","result":"ack"}')).toEqual({ id: '1', result: 'ack', error: '' });
    expect(parseAnswer('{"id":"1","result":"","error":"no"}')).toEqual({ id: '1', result: '', error: 'no' });
    expect(parseAnswer('{"id":"1","result":null,"error":null}')).toEqual({ id: '1', result: '', error: '' });
    expect(parseAnswer('{"id":"1","result":{"toString":1},"error":7}')).toEqual({
      id: '1',
      result: '',
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

describe('presentableError', () => {
  it.each([
    ['permission denied', 'it does not know or allow this client'],
    ['User rejected the request', 'denied'],
    ['rate-limited: slow down', 'rate limited'],
    ['Invalid secret', 'the pairing secret is wrong or used up'],
    ['the signer is locked', 'it is locked'],
    ['Method not implemented', 'it does not support this method'],
  ])('tells %p as: %s', (error, told) => {
    expect(presentableError(error)).toBe(told);
  });

  it('never quotes: whatever a bunker says, only our own words come out', () => {
    const words = new Set<string>();
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (error) => {
        words.add(presentableError(error));
      }),
    );
    for (const leak of [
      'nsec1canary',
      '{"fixed_fee":31337}',
      'bunker://canary',
      'https://approve.example.com/?t=canary',
    ]) {
      words.add(presentableError(leak));
      words.add(presentableError(`denied: ${leak}`));
    }
    expect([...words].join(' ')).not.toMatch(/canary|31337|nsec1|https:/);
    expect(words.size).toBeLessThanOrEqual(9);
  });
});

test('of what a relay of a bunker says, only the word of the protocol is repeated', () => {
  expect(presentableRefusal('restricted: {"fixed_fee":77}')).toBe('restricted');
  for (const words of ['{"fixed_fee":77}', 'fixed-fee: 77', 'see blocked: 77', 'blocked 77', ''])
    expect(presentableRefusal(words)).toBe('for a reason of its own');
});
