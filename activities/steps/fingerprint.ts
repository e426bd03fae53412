import { createHmac } from 'node:crypto';

/**
 * A keyed hash of a plaintext: it tells whether two plaintexts differ, without keeping either. It needs a
 * key, since fees are few and round numbers and a plain hash could be guessed. It begins with a mark of the
 * key: hashes of two keys cannot be compared.
 *
 * @returns 8 hex characters of the key's mark, a colon and 64 hex characters
 */
export function fingerprintOf(key: Uint8Array, plaintext: string): string {
  return `${hmac(key, '').slice(0, 8)}:${hmac(key, plaintext)}`;
}

function hmac(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('hex');
}
