import { createHmac } from 'node:crypto';

/**
 * Keyed hash by which two plaintexts are told apart without keeping either. Keyed, because fees are so few and so round
 * that a bare hash could be guessed.
 *
 * @returns 64 hex characters
 */
export function fingerprintOf(key: Uint8Array, plaintext: string): string {
  return createHmac('sha256', key).update(plaintext, 'utf8').digest('hex');
}
