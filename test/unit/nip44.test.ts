import fc from 'fast-check';
import { encrypt as nip04Encrypt } from 'nostr-tools/nip04';
import { decrypt as decryptInJs, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import {
  decrypt,
  encrypt as encryptByOpenSsl,
  getConversationKey as getConversationKeyByOpenSsl,
  looksLikeNip44,
} from '../../nostr/nip44';

const [operatorKey, machineKey] = [generateSecretKey(), generateSecretKey()];
const machine = getPublicKey(machineKey);
const conversationKey = getConversationKey(operatorKey, machine);
const seal = (plaintext: string): string => encrypt(plaintext, conversationKey);

/** Where NIP-44's padding and its length prefix change. */
const EDGES = [
  1, 2, 31, 32, 33, 63, 64, 65, 255, 256, 257, 319, 320, 321, 383, 384, 385, 1023, 1024, 1025, 4096, 4097,
  28_672, 32_768, 32_769, 65_535, 65_536, 65_537, 70_000,
];

describe('looksLikeNip44', () => {
  it.each(EDGES)('accepts what nostr-tools makes of %i bytes', (bytes) => {
    expect(looksLikeNip44(seal('x'.repeat(bytes)), bytes)).toBe(true);
  });

  it('accepts the ciphertext of every length up to 70,000 bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70_000 }), (bytes) => {
        expect(looksLikeNip44(seal('x'.repeat(bytes)), bytes)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('counts the bytes of a text, not its characters', () => {
    const plaintext = 'ü😀'.repeat(20);
    expect(looksLikeNip44(seal(plaintext), Buffer.byteLength(plaintext))).toBe(true);
    expect(looksLikeNip44(seal(plaintext), plaintext.length)).toBe(false);
  });

  it('refuses the ciphertext of a text of another padded length', () => {
    const payload = seal('x'.repeat(100));
    expect(looksLikeNip44(payload, 96)).toBe(false);
    expect(looksLikeNip44(payload, 129)).toBe(false);
    // Padding hides the exact length: this is as far as a length can tell.
    expect(looksLikeNip44(payload, 128)).toBe(true);
  });

  it('refuses whatever text is given back in place of a ciphertext', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), fc.base64String()), (text) => {
        expect(looksLikeNip44(text, Math.max(1, Buffer.byteLength(text)))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('refuses a NIP-04 ciphertext', () => {
    const plaintext = '{"fixed_fee":1}';
    expect(looksLikeNip44(nip04Encrypt(operatorKey, machine, plaintext), plaintext.length)).toBe(false);
  });

  it('refuses a ciphertext that was cut or has more behind it', () => {
    const payload = seal('x'.repeat(50));
    fc.assert(
      fc.property(fc.integer({ min: 0, max: payload.length - 1 }), (length) => {
        expect(looksLikeNip44(payload.slice(0, length), 50)).toBe(false);
      }),
    );
    expect(looksLikeNip44(`${payload}AAAA`, 50)).toBe(false);
    expect(looksLikeNip44(`${payload}\n`, 50)).toBe(false);
    expect(looksLikeNip44(` ${payload}`, 50)).toBe(false);
  });

  it('refuses every version but 2', () => {
    const bytes = Buffer.from(seal('hello'), 'base64');
    for (const version of [0, 1, 3, 255]) {
      bytes[0] = version;
      expect(looksLikeNip44(bytes.toString('base64'), 5)).toBe(false);
    }
    bytes[0] = 2;
    expect(looksLikeNip44(bytes.toString('base64'), 5)).toBe(true);
    expect(looksLikeNip44(`#${seal('hello')}`, 5)).toBe(false);
  });

  it('refuses the other alphabet of base64 and bits that stand for nothing', () => {
    const payload = seal('x'.repeat(33));
    const urlSafe = Buffer.from(payload, 'base64').toString('base64url');
    const unpadded = payload.replace(/=+$/, '');
    expect(payload).toMatch(/=$/);
    expect(looksLikeNip44(unpadded, 33)).toBe(false);
    expect(looksLikeNip44(`_${urlSafe.slice(1)}`, 33)).toBe(false);
    // The last character of an odd length has spare bits: two spellings of the same bytes, of which one is
    // the real one.
    const sloppy = payload.replace(/(.)(=+)$/, (_, last: string, pad: string) => nextBase64(last) + pad);
    expect(Buffer.from(sloppy, 'base64').equals(Buffer.from(payload, 'base64'))).toBe(true);
    expect(looksLikeNip44(sloppy, 33)).toBe(false);
  });
});

function nextBase64(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return alphabet[alphabet.indexOf(character) + 1] as string;
}

describe('encrypt and decrypt', () => {
  it.each(EDGES)('understand nostr-tools and are understood by it, with %i bytes', (bytes) => {
    const plaintext = 'x'.repeat(bytes);
    expect(decryptInJs(encryptByOpenSsl(plaintext, conversationKey), conversationKey)).toBe(plaintext);
    expect(decrypt(seal(plaintext), conversationKey)).toBe(plaintext);
    expect(decrypt(encryptByOpenSsl(plaintext, conversationKey), conversationKey)).toBe(plaintext);
  });

  it('keep every text', () => {
    const text = fc
      .string({ unit: 'binary', minLength: 1, maxLength: 500 })
      .filter((value) => !/\p{Surrogate}/u.test(value));
    fc.assert(
      fc.property(text, (plaintext) => {
        expect(decryptInJs(encryptByOpenSsl(plaintext, conversationKey), conversationKey)).toBe(plaintext);
        expect(decrypt(seal(plaintext), conversationKey)).toBe(plaintext);
      }),
    );
  });

  it('refuse what was changed, cut, made for another key, or is no payload', () => {
    const payload = encryptByOpenSsl('a document', conversationKey);
    const bytes = Buffer.from(payload, 'base64');
    for (const index of [0, 1, 33, bytes.length - 33, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(() => decrypt(changed.toString('base64'), conversationKey)).toThrow();
    }
    const other = getConversationKey(generateSecretKey(), machine);
    expect(() => decrypt(payload, other)).toThrow('invalid MAC');
    for (const wrong of [
      '',
      '?iv=',
      '#',
      payload.slice(0, -4),
      `${payload}AAAA`,
      'A'.repeat(200),
      ' '.repeat(200),
    ])
      expect(() => decrypt(wrong, conversationKey)).toThrow();
    expect(() => encryptByOpenSsl('', conversationKey)).toThrow();
  });
});

describe('getConversationKey', () => {
  it('is the one of nostr-tools, for both sides', () => {
    for (let pair = 0; pair < 50; pair += 1) {
      const [a, b] = [generateSecretKey(), generateSecretKey()];
      const expected = Buffer.from(getConversationKey(a, getPublicKey(b))).toString('hex');
      for (const [secret, other] of [
        [a, b],
        [b, a],
      ] as const) {
        const key = getConversationKeyByOpenSsl(secret, getPublicKey(other));
        expect(Buffer.from(key).toString('hex')).toBe(expected);
      }
    }
  });

  // From NIP-44's own test vectors: scalars and points at the edges.
  it.each([
    [
      '315e59ff51cb9209768cf7da80791ddcaae56ac9775eb25b6dee1234bc5d2268',
      'c2f9d9948dc8c7c38321e4b85c8558872eafa0641cd269db76848a6073e69133',
      '3dfef0ce2a4d80a25e7a328accf73448ef67096f65f79588e358d9a0eb9013f1',
    ],
    [
      'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364139',
      '0000000000000000000000000000000000000000000000000000000000000002',
      '8b6392dbf2ec6a2b2d5b1477fc2be84d63ef254b667cadd31bd3f444c44ae6ba',
    ],
  ])('agrees with the vector of %s', (secret, pubkey, expected) => {
    const key = getConversationKeyByOpenSsl(new Uint8Array(Buffer.from(secret, 'hex')), pubkey);
    expect(Buffer.from(key).toString('hex')).toBe(expected);
  });

  it.each(['f'.repeat(64), '0'.repeat(64), 'ab', ''])('refuses %s, which is no key', (pubkey) => {
    expect(() => getConversationKeyByOpenSsl(operatorKey, pubkey)).toThrow();
  });
});
