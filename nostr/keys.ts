import { ECDH } from 'node:crypto';
import { decode, neventEncode, npubEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../contract/failures';
import { decryptSecretKey, encryptSecretKey } from './nip49';

export { generateSecretKey, getPublicKey };

/**
 * A public key as 64 lower-case hex characters, from hex of any case or npub (NIP-19). Undefined when it is
 * neither, or no point of the curve: nobody could encrypt to it.
 */
export function parsePublicKey(text: string): string | undefined {
  const hex = publicKeyHex(text);
  if (hex === undefined) return undefined;
  try {
    ECDH.convertKey(`02${hex}`, 'secp256k1', 'hex');
    return hex;
  } catch {
    return undefined;
  }
}

/** The same without the check of the curve: for comparing keys. */
export function publicKeyHex(text: string): string | undefined {
  // ASCII blanks only, as every database removes them. With other blanks a key would be equal here and
  // different there.
  const trimmed = text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return trimmed.toLowerCase();
  // Bech32 is upper or lower case, never mixed. Machines are paired with either.
  const isUpperCase = trimmed === trimmed.toUpperCase();
  const spelled = isUpperCase ? trimmed.toLowerCase() : trimmed;
  if (!spelled.startsWith('npub1')) return undefined;
  try {
    const decoded = decode(spelled);
    return decoded.type === 'npub' ? decoded.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * A secret key from nsec (NIP-19) or 64 hex characters; undefined when it is neither. Keep it out of
 * messages.
 */
export function parseSecretKey(text: string): Uint8Array | undefined {
  const trimmed = text.trim();
  try {
    if (/^[0-9a-fA-F]{64}$/.test(trimmed)) {
      const key = new Uint8Array(Buffer.from(trimmed, 'hex'));
      getPublicKey(key);
      return key;
    }
    const decoded = decode(trimmed);
    if (decoded.type !== 'nsec') return undefined;
    // An nsec can hold a number that is no key.
    getPublicKey(decoded.data);
    return decoded.data;
  } catch {
    return undefined;
  }
}

export function npub(pubkey: string): string {
  return npubEncode(pubkey);
}

export function nevent(id: string, author: string): string {
  return neventEncode({ id, author });
}

/** Encrypts a secret key for storage (NIP-49). */
export function lockSecretKey(secretKey: Uint8Array, secretsKey: string): Promise<string> {
  return encryptSecretKey(secretKey, secretsKey);
}

/**
 * Decrypts a stored secret key (NIP-49).
 *
 * @throws RepublishError SignerUnlockFailed when it was encrypted with another secrets key.
 */
export async function unlockSecretKey(ncryptsec: string, secretsKey: string): Promise<Uint8Array> {
  try {
    return await decryptSecretKey(ncryptsec, secretsKey);
  } catch {
    throw new RepublishError(
      'SignerUnlockFailed',
      'the stored key does not open with this REPUBLISH_SECRETS_KEY',
    );
  }
}
