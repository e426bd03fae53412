import fc from 'fast-check';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { eventId, type SignedEvent } from '../../nostr/events';

type Schnorr = typeof import('../../nostr/schnorr');

const secretKey = generateSecretKey();
const pubkey = getPublicKey(secretKey);

/** The module anew, with or without WebAssembly in the host. */
function schnorr(hasWebAssembly: boolean): Schnorr {
  const original: unknown = Reflect.get(globalThis, 'WebAssembly');
  if (!hasWebAssembly) Object.assign(globalThis, { WebAssembly: undefined });
  let loaded: Schnorr | undefined;
  jest.isolateModules(() => {
    loaded = jest.requireActual<Schnorr>('../../nostr/schnorr');
    loaded.loadSchnorr();
  });
  Object.assign(globalThis, { WebAssembly: original });
  if (loaded === undefined) throw new Error('not loaded');
  return loaded;
}

/** The most of them that a relay's message has room for. Made once: it takes its time. */
let emptyTags: SignedEvent | undefined;
function ofEmptyTags(): SignedEvent {
  const tags = Array.from({ length: 340_000 }, () => []);
  emptyTags ??= finalizeEvent({ kind: 1, created_at: 1, tags, content: '' }, secretKey);
  return emptyTags;
}

describe.each([
  ['webassembly', true],
  ['javascript', false],
] as const)('signing and verifying in %s', (engine, hasWebAssembly) => {
  let module: Schnorr;
  beforeAll(() => {
    module = schnorr(hasWebAssembly);
    expect(module.loadSchnorr()).toBe(engine);
  });

  it('makes what nostr-tools verifies, and verifies what nostr-tools makes', () => {
    const text = fc
      .string({ unit: 'binary', maxLength: 300 })
      .filter((value) => !/\p{Surrogate}/u.test(value));
    fc.assert(
      fc.property(text, text, fc.integer({ min: 0, max: 65_535 }), (content, d, kind) => {
        const template = { kind, created_at: 1_800_000_000, tags: [['d', d]], content };
        const ours = module.signWith(secretKey, template);
        expect(ours).toMatchObject({ ...template, pubkey });
        expect(ours.id).toBe(eventId({ ...template, pubkey }));
        expect(verifyEvent({ ...ours })).toBe(true);
        expect(module.isSigned({ ...(finalizeEvent({ ...template }, secretKey) as SignedEvent) })).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it('says no to a signature of another event, of another key, and to none', () => {
    const event = module.signWith(secretKey, { kind: 1, created_at: 1, tags: [], content: 'a' });
    const other = module.signWith(secretKey, { kind: 1, created_at: 1, tags: [], content: 'b' });
    const stranger = module.signWith(generateSecretKey(), { kind: 1, created_at: 1, tags: [], content: 'a' });
    expect(module.isSigned(event)).toBe(true);
    expect(module.isSigned({ ...event, sig: other.sig })).toBe(false);
    expect(module.isSigned({ ...event, sig: stranger.sig })).toBe(false);
    expect(module.isSigned({ ...event, pubkey: stranger.pubkey })).toBe(false);
    expect(module.isSigned({ ...event, sig: '0'.repeat(128) })).toBe(false);
  });

  it('takes events of any size, one after the other', () => {
    for (const chars of [10, 99_000, 101_000, 900_000, 10]) {
      const event = module.signWith(secretKey, {
        kind: 1,
        created_at: 1,
        tags: [],
        content: 'x'.repeat(chars),
      });
      expect({ chars, signed: module.isSigned(event) }).toEqual({ chars, signed: true });
    }
  });

  it('verifies an event of nothing but empty tags', () => {
    expect(module.isSigned(ofEmptyTags())).toBe(true);
  });

  it('goes on after any number of keys that are none', () => {
    const template = { kind: 1, created_at: 1, tags: [], content: 'x'.repeat(1_000) };
    for (let time = 0; time < 3; time += 1) {
      expect(() => module.signWith(new Uint8Array(32), template)).toThrow();
      expect(() => module.signWith(new Uint8Array(32).fill(255), template)).toThrow();
      expect(module.isSigned(module.signWith(secretKey, template))).toBe(true);
      expect(module.loadSchnorr()).toBe(engine);
    }
    expect(module.isSigned({ ...module.signWith(secretKey, template), sig: '0'.repeat(128) })).toBe(false);
  });

  // Of BIP-340's test vectors: keys that are no points, and signatures outside of the field or the group.
  it('says no to keys and signatures that cannot be', () => {
    const event = module.signWith(secretKey, { kind: 1, created_at: 1, tags: [], content: 'a' });
    const notOnCurve = 'eefdea4cdb677750a420fee807eacf21eb9898ae79b9768766e4faa04a2d4a34';
    const fieldSize = 'fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f';
    const groupOrder = 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141';
    // Many: what such a key leaves behind in WebAssembly would add up.
    for (let time = 0; hasWebAssembly && time < 5_000; time += 1)
      module.isSigned({ ...event, pubkey: notOnCurve });
    for (const key of [notOnCurve, fieldSize, '0'.repeat(64), 'f'.repeat(64)]) {
      const claimed = { ...event, pubkey: key };
      expect(module.isSigned({ ...claimed, id: eventId(claimed) })).toBe(false);
    }
    for (const sig of [
      `${fieldSize}${event.sig.slice(64)}`,
      `${event.sig.slice(0, 64)}${groupOrder}`,
      `${notOnCurve}${event.sig.slice(64)}`,
    ])
      expect(module.isSigned({ ...event, sig })).toBe(false);
    expect(module.isSigned(event)).toBe(true);
    expect(module.loadSchnorr()).toBe(engine);
  });
});
