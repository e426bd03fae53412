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
  jest.isolateModules(() => (loaded = jest.requireActual<Schnorr>('../../nostr/schnorr')));
  void loaded?.loadSchnorr().finally(() => Object.assign(globalThis, { WebAssembly: original }));
  if (loaded === undefined) throw new Error('not loaded');
  return loaded;
}

describe.each([
  ['webassembly', true],
  ['javascript', false],
] as const)('signing and verifying in %s', (engine, hasWebAssembly) => {
  let module: Schnorr;
  beforeAll(async () => {
    module = schnorr(hasWebAssembly);
    expect(await module.loadSchnorr()).toBe(engine);
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
});
