import fc from 'fast-check';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { eventId, hasEventShape, isAt, isAuthentic, isNewer, type SignedEvent } from '../../nostr/events';

const secretKey = generateSecretKey();
const pubkey = getPublicKey(secretKey);

function make(d = 'fees:x', content = 'c'): SignedEvent {
  const { id, sig, kind, created_at, tags } = finalizeEvent(
    { kind: 30078, created_at: 1_800_000_000, tags: [['d', d]], content },
    secretKey,
  );
  return { id, pubkey, sig, kind, created_at, tags, content };
}

describe('isNewer', () => {
  const at = (created_at: number, id: string): { id: string; created_at: number } => ({ id, created_at });

  it('goes by the date, and by the lowest id within one second', () => {
    expect(isNewer(at(2, 'f'), at(1, '0'))).toBe(true);
    expect(isNewer(at(1, '0'), at(2, 'f'))).toBe(false);
    expect(isNewer(at(1, '0'), at(1, 'f'))).toBe(true);
    expect(isNewer(at(1, 'f'), at(1, '0'))).toBe(false);
    expect(isNewer(at(1, 'a'), at(1, 'a'))).toBe(false);
  });

  it('leaves the same winner for every order in which a relay sends', () => {
    const event = fc.record({
      created_at: fc.integer({ min: 0, max: 3 }),
      id: fc.constantFrom(...'0123456789abcdef'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(event, { minLength: 1, selector: (e) => `${e.created_at}${e.id}` }),
        (events) => {
          const winner = events.reduce((best, next) => (isNewer(next, best) ? next : best));
          const reversed = events.toReversed().reduce((best, next) => (isNewer(next, best) ? next : best));
          expect(reversed).toBe(winner);
          expect(winner.created_at).toBe(Math.max(...events.map(({ created_at }) => created_at)));
          expect(events.filter((other) => isNewer(other, winner))).toEqual([]);
        },
      ),
    );
  });
});

describe('isAuthentic', () => {
  it('accepts a signed event, also through JSON', () => {
    expect(isAuthentic(make())).toBe(true);
    expect(isAuthentic(JSON.parse(JSON.stringify(make())) as SignedEvent)).toBe(true);
  });

  const other = generateSecretKey();
  it.each<[string, (event: SignedEvent) => Partial<SignedEvent>]>([
    ['content', () => ({ content: 'other' })],
    ['kind', () => ({ kind: 30079 })],
    ['created_at', ({ created_at }) => ({ created_at: created_at + 1 })],
    ['tags', () => ({ tags: [['d', 'fees:y']] })],
    ['pubkey', () => ({ pubkey: getPublicKey(other) })],
    ['id', () => ({ id: '0'.repeat(64) })],
    ['sig', () => ({ sig: '0'.repeat(128) })],
    ['one character of sig', ({ sig }) => ({ sig: (sig.startsWith('0') ? '1' : '0') + sig.slice(1) })],
    ['content and id', (event) => ({ content: 'other', id: eventId({ ...event, content: 'other' }) })],
  ])('refuses a copy with another %s, also when the original was verified before', (_, change) => {
    // nostr-tools keeps its verdict on the object, and a spread copies it.
    const original = finalizeEvent(
      { kind: 30078, created_at: 1, tags: [['d', 'x']], content: 'c' },
      secretKey,
    );
    const copy = { ...original, ...change(original) };
    expect(verifyEvent(copy)).toBe(true);
    expect(isAuthentic(copy)).toBe(false);
    expect(isAuthentic(original)).toBe(true);
  });

  it('refuses what would make the check itself throw', () => {
    for (const change of [{ pubkey: 'f'.repeat(64) }, { sig: 'zz' }, { id: '' }, { tags: null }]) {
      expect(isAuthentic({ ...make(), ...change } as SignedEvent)).toBe(false);
    }
  });
});

describe('eventId', () => {
  it('is known before the signature and is the one that the signature gets', () => {
    const { id, sig: _sig, ...unsigned } = make();
    expect(eventId(unsigned)).toBe(id);
  });
});

describe('hasEventShape', () => {
  it('accepts an event, whatever else it carries', () => {
    expect(hasEventShape(make())).toBe(true);
    expect(hasEventShape({ ...make(), extra: 1, tags: [[], ['a', 'b', 'c']] })).toBe(true);
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'event'],
    ['a list', [make()]],
    ['an upper-case id', { ...make(), id: 'A'.repeat(64) }],
    ['a short sig', { ...make(), sig: 'a'.repeat(64) }],
    ['a pubkey that is a list', { ...make(), pubkey: [pubkey] }],
    ['a kind of a half', { ...make(), kind: 1.5 }],
    ['a date as text', { ...make(), created_at: '1' }],
    ['an endless date', { ...make(), created_at: Infinity }],
    ['no content', { ...make(), content: undefined }],
    ['tags that are an object', { ...make(), tags: {} }],
    ['a tag that is a text', { ...make(), tags: ['d'] }],
    ['a tag that holds a number', { ...make(), tags: [['d', 1]] }],
  ])('refuses %s', (_, value) => {
    expect(hasEventShape(value)).toBe(false);
  });

  it('never throws, whatever a relay sends', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, withObjectString: true }), (value) => {
        expect(hasEventShape(value)).toBe(false);
      }),
    );
  });
});

describe('isAt', () => {
  const address = { kind: 30078, pubkey, d: 'fees:x' };

  it('asks for kind, author and the first d tag', () => {
    expect(isAt(address, make())).toBe(true);
    expect(isAt({ ...address, kind: 30079 }, make())).toBe(false);
    expect(isAt({ ...address, pubkey: 'a'.repeat(64) }, make())).toBe(false);
    expect(isAt(address, make('fees:y'))).toBe(false);
    const tags = [['e', 'fees:x'], [], ['d', 'fees:y'], ['d', 'fees:x']];
    expect(isAt(address, { ...make(), tags })).toBe(false);
    expect(isAt(address, { ...make(), tags: [] })).toBe(false);
  });
});
