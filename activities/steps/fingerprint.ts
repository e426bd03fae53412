import { createHmac } from 'node:crypto';

/**
 * Keyed hash by which two plaintexts are told apart without keeping either. Keyed, because fees are so few
 * and so round that a bare hash could be guessed. It begins with what tells the key from others, since hashes
 * of two keys cannot be compared.
 *
 * @returns 8 hex characters, a colon and 64 hex characters
 */
export function fingerprintOf(key: Uint8Array, plaintext: string): string {
  return `${hmac(key, '').slice(0, 8)}:${hmac(key, plaintext)}`;
}

function hmac(key: Uint8Array, text: string): string {
  return createHmac('sha256', key).update(text, 'utf8').digest('hex');
}
