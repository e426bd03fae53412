import fc from 'fast-check';
import type { SignedEvent } from '../../nostr/events';
import { parseFrame } from '../../nostr/relays/frames';

const EVENT: SignedEvent = {
  id: 'a'.repeat(64),
  pubkey: 'b'.repeat(64),
  sig: 'c'.repeat(128),
  kind: 30078,
  created_at: 1_700_000_000,
  tags: [['d', 'x']],
  content: '',
};

test.each([
  [['EVENT', 'sub', EVENT], { type: 'EVENT', subscription: 'sub', event: EVENT }],
  [['EOSE', 'sub'], { type: 'EOSE', subscription: 'sub' }],
  [['CLOSED', 'sub', 'error: x'], { type: 'CLOSED', subscription: 'sub', reason: 'error: x' }],
  [['OK', 'id', true, ''], { type: 'OK', eventId: 'id', accepted: true, message: '' }],
  [['OK', 'id', 'true', 7], { type: 'OK', eventId: 'id', accepted: false, message: 7 }],
  [['AUTH', 'challenge'], { type: 'AUTH', challenge: 'challenge' }],
  [['NOTICE', 'words'], { type: 'NOTICE', text: 'words' }],
  [['COUNT', 'sub', { count: 1 }], { type: 'other' }],
])('%j is read as %j', (message, frame) => {
  expect(parseFrame(JSON.stringify(message))).toEqual(frame);
});

test.each([
  'no JSON',
  '{}',
  'null',
  '[]',
  '["EOSE"]',
  '["EOSE", 7]',
  '["NOTICE", {"toString": 1}]',
  '["OK", {"toString": 1}, true, ""]',
  '["EVENT", "sub", {"id": 1}]',
  '["EVENT", "sub"]',
])('%s is no message of NIP-01', (text) => {
  expect(parseFrame(text)).toBeUndefined();
});

test('whatever a relay sends, reading it never throws', () => {
  const anything = fc.oneof(
    fc.string(),
    fc.json(),
    fc.array(fc.jsonValue()).map((each) => JSON.stringify(each)),
  );
  fc.assert(fc.property(anything, (text) => void parseFrame(text)));
});
