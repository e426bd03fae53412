/** Version byte and lengths of a NIP-44 v2 payload. */
const VERSION = 2;
const NONCE_BYTES = 32;
const MAC_BYTES = 32;

/** NIP-44: plaintexts are padded to a power-of-two scheme, so that the length of a ciphertext follows from theirs. */
function paddedLength(bytes: number): number {
  if (bytes <= 32) return 32;
  const nextPower = 2 ** (Math.floor(Math.log2(bytes - 1)) + 1);
  const chunk = nextPower <= 256 ? 32 : nextPower / 8;
  return chunk * (Math.floor((bytes - 1) / chunk) + 1);
}

/** Characters of the base64 payload that NIP-44 v2 makes of so many UTF-8 bytes. */
export function nip44PayloadLength(plaintextBytes: number): number {
  return Math.ceil(payloadBytes(plaintextBytes) / 3) * 4;
}

function payloadBytes(plaintextBytes: number): number {
  // Above 65,535 bytes the length prefix takes 6 bytes in place of 2.
  const prefixBytes = plaintextBytes > 65_535 ? 6 : 2;
  return 1 + NONCE_BYTES + prefixBytes + paddedLength(plaintextBytes) + MAC_BYTES;
}

/**
 * Whether an answer can be the NIP-44 v2 ciphertext of a plaintext of so many UTF-8 bytes: base64, version 2, and the one
 * length that such a ciphertext has. Whoever encrypts cannot be checked further without the key; but the plaintext sent
 * back, an error text or a NIP-04 ciphertext is told apart for certain.
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
