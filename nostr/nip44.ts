import {
  createCipheriv,
  createECDH,
  createHmac,
  getCiphers,
  getCurves,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import {
  decrypt as decryptInJs,
  encrypt as encryptInJs,
  getConversationKey as getConversationKeyInJs,
} from 'nostr-tools/nip44';

/** Some distributions build OpenSSL without it. */
const HAS_SECP256K1 = getCurves().includes('secp256k1');

/**
 * The conversation key of two keys (NIP-44 v2). By OpenSSL where it can.
 *
 * @param pubkey x-only, 32 bytes as hex
 * @throws Error when it is no point of the curve
 */
export function getConversationKey(secretKey: Uint8Array, pubkey: string): Uint8Array {
  if (!HAS_SECP256K1 || !/^[0-9a-f]{64}$/i.test(pubkey)) return getConversationKeyInJs(secretKey, pubkey);
  const ecdh = createECDH('secp256k1');
  ecdh.setPrivateKey(secretKey);
  // Either point with this x gives the same x of the product, and only that is used.
  const shared = ecdh.computeSecret(Buffer.from(`02${pubkey}`, 'hex'));
  const key = createHmac('sha256', 'nip44-v2').update(shared).digest();
  shared.fill(0);
  return key;
}

/** Version byte, and lengths of the parts, of a NIP-44 v2 payload. */
const VERSION = 2;
const NONCE_BYTES = 32;
const MAC_BYTES = 32;

/** NIP-44 pads plaintexts by a power-of-two scheme, so a ciphertext's length follows from the plaintext's. */
function paddedLength(bytes: number): number {
  if (bytes <= 32) return 32;
  const nextPower = 2 ** (Math.floor(Math.log2(bytes - 1)) + 1);
  const chunk = nextPower <= 256 ? 32 : nextPower / 8;
  return chunk * (Math.floor((bytes - 1) / chunk) + 1);
}

/** Characters of the base64 payload (NIP-44 v2) of a plaintext of so many UTF-8 bytes. */
export function nip44PayloadLength(plaintextBytes: number): number {
  return Math.ceil(payloadBytes(plaintextBytes) / 3) * 4;
}

function payloadBytes(plaintextBytes: number): number {
  // Above 65,535 bytes the length prefix takes 6 bytes in place of 2.
  const prefixBytes = plaintextBytes > 65_535 ? 6 : 2;
  return 1 + NONCE_BYTES + prefixBytes + paddedLength(plaintextBytes) + MAC_BYTES;
}

/**
 * Whether an answer can be the NIP-44 v2 ciphertext of a plaintext of so many UTF-8 bytes: base64, version 2,
 * and the one length that such a ciphertext has. More cannot be checked without the key. But it recognises
 * the plaintext sent back, an error text and a NIP-04 ciphertext.
 */
export function looksLikeNip44(payload: string, plaintextBytes: number): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(payload)) return false;
  const bytes = Buffer.from(payload, 'base64');
  return (
    bytes[0] === VERSION &&
    bytes.length === payloadBytes(plaintextBytes) &&
    bytes.toString('base64') === payload
  );
}

/** Longer plaintexts have another prefix and are rare: nostr-tools encrypts them. */
const MAX_SHORT_BYTES = 65_535;
const MAX_SHORT_PAYLOAD = 87_472;
const MIN_PAYLOAD = 132;
/** Not in every build of OpenSSL. */
const HAS_CHACHA20 = getCiphers().includes('chacha20');

/** NIP-44 v2. By OpenSSL where it can: ten times cheaper than JavaScript, and byte for byte the same. */
export function encrypt(plaintext: string, conversationKey: Uint8Array): string {
  const bytes = Buffer.from(plaintext, 'utf8');
  if (!HAS_CHACHA20 || bytes.length < 1 || bytes.length > MAX_SHORT_BYTES)
    return encryptInJs(plaintext, conversationKey);
  const nonce = randomBytes(NONCE_BYTES);
  const keys = messageKeys(conversationKey, nonce);
  const padded = Buffer.alloc(2 + paddedLength(bytes.length));
  padded.writeUInt16BE(bytes.length);
  bytes.copy(padded, 2);
  const ciphertext = chacha20(keys, padded);
  const mac = macOf(keys, nonce, ciphertext);
  return Buffer.concat([Buffer.of(VERSION), nonce, ciphertext, mac]).toString('base64');
}

/** @throws Error when it was made with another key, or is no NIP-44 v2 payload */
export function decrypt(payload: string, conversationKey: Uint8Array): string {
  const bytes = Buffer.from(payload, 'base64');
  const isOrdinary =
    HAS_CHACHA20 &&
    payload.length >= MIN_PAYLOAD &&
    payload.length <= MAX_SHORT_PAYLOAD &&
    bytes[0] === VERSION &&
    bytes.toString('base64') === payload;
  if (!isOrdinary) return decryptInJs(payload, conversationKey);
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
  const ciphertext = bytes.subarray(1 + NONCE_BYTES, -MAC_BYTES);
  const keys = messageKeys(conversationKey, nonce);
  if (!timingSafeEqual(macOf(keys, nonce, ciphertext), bytes.subarray(-MAC_BYTES)))
    throw new Error('invalid MAC');
  const padded = chacha20(keys, ciphertext);
  const length = padded.readUInt16BE();
  if (length === 0 || padded.length !== 2 + paddedLength(length)) throw new Error('invalid padding');
  return padded.toString('utf8', 2, 2 + length);
}

interface MessageKeys {
  chachaKey: Buffer;
  chachaNonce: Buffer;
  macKey: Buffer;
}

/** HKDF-expand (RFC 5869): node's own function would extract once more. */
function messageKeys(conversationKey: Uint8Array, nonce: Buffer): MessageKeys {
  const blocks: Buffer[] = [];
  for (let number = 1; number <= 3; number += 1) {
    const hmac = createHmac('sha256', conversationKey);
    blocks.push(
      hmac
        .update(blocks.at(-1) ?? '')
        .update(nonce)
        .update(Buffer.of(number))
        .digest(),
    );
  }
  const keys = Buffer.concat(blocks);
  return {
    chachaKey: keys.subarray(0, 32),
    chachaNonce: keys.subarray(32, 44),
    macKey: keys.subarray(44, 76),
  };
}

function chacha20({ chachaKey, chachaNonce }: MessageKeys, input: Buffer): Buffer {
  // OpenSSL's IV is the block counter, four bytes, and then the nonce.
  const iv = Buffer.concat([Buffer.alloc(4), chachaNonce]);
  return createCipheriv('chacha20', chachaKey, iv).update(input);
}

function macOf({ macKey }: MessageKeys, nonce: Buffer, ciphertext: Buffer): Buffer {
  return createHmac('sha256', macKey).update(nonce).update(ciphertext).digest();
}
