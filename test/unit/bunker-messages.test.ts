import fc from 'fast-check';
import { parseAnswer, presentableError } from '../../nostr/bunker/messages';

const WITHHELD = /withheld/;

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
  const plaintext = '{"fixed_fee":1.5,"pin":"4711-0815"}';
  const peer = 'ab'.repeat(32);

  it('shows a reason that says nothing about the request', () => {
    expect(presentableError('permission denied', [peer, plaintext])).toBe('permission denied');
    expect(presentableError('kind 30078 is not allowed', ['{"kind":30078,"created_at":1800000000}'])).toBe(
      'kind 30078 is not allowed',
    );
  });

  it.each([
    ['whole', `cannot encrypt ${plaintext}`],
    ['in part', 'bad value in _fee":1.5,"pin'],
    ['escaped', `cannot encrypt ${JSON.stringify(plaintext)}`],
    ['pretty-printed', `cannot encrypt ${JSON.stringify(JSON.parse(plaintext), undefined, 2)}`],
    ['in upper case', `CANNOT ENCRYPT ${plaintext.toUpperCase()}`],
    ['with control characters between', `cannot encrypt ${plaintext.split('').join('\0')}`],
  ])('withholds one that repeats the plaintext %s', (_, error) => {
    const shown = presentableError(error, [peer, plaintext]);
    expect(shown).toMatch(WITHHELD);
    expect(shown).not.toMatch(/fee|pin|4711/i);
  });

  it('withholds one that repeats a short secret or the whole of a short plaintext', () => {
    expect(presentableError('secret s3cr3t was used', ['s3cr3t'])).toMatch(WITHHELD);
    expect(presentableError('cannot encrypt "hi"', [peer, 'hi'])).toMatch(WITHHELD);
    expect(presentableError('secret was used', ['s3cr3t'])).toBe('secret was used');
  });

  it('is not confused by parameters that are empty or hold no letter', () => {
    expect(presentableError('denied', ['', '"', '{}'])).toBe('denied');
  });

  it('makes one bounded line without control characters and without half an emoji', () => {
    const shown = presentableError(`no\r\n\u001b[31m${'x'.repeat(188)}${'😀'.repeat(50)}`, []);

    expect(shown).not.toMatch(/[\u0000-\u001f]/);
    expect(shown).not.toMatch(/\p{Surrogate}/u);
    expect(shown.length).toBeLessThanOrEqual(200);
    expect(shown).toMatch(/^no \[31mxxx/);
  });

  it('never shows twelve characters in a row of what was asked', () => {
    const text = fc.string({ unit: 'grapheme', minLength: 12, maxLength: 60 });
    fc.assert(
      fc.property(text, fc.string(), fc.string(), fc.nat(), (secret, before, after, from) => {
        const start = from % (secret.length - 11);
        const shown = presentableError(`${before}${secret.slice(start, start + 12)}${after}`, [peer, secret]);
        for (let at = 0; at + 12 <= shown.length; at += 1) {
          if (WITHHELD.test(shown)) return;
          expect(secret).not.toContain(shown.slice(at, at + 12));
        }
      }),
    );
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.string({ unit: 'binary' })), (error, params) => {
        expect(presentableError(error, params).length).toBeLessThanOrEqual(200);
      }),
    );
  });
});
