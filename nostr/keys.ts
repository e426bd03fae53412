import { ECDH } from 'node:crypto';
import { decode, neventEncode, npubEncode } from 'nostr-tools/nip19';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../contract/failures';
import { decryptSecretKey, encryptSecretKey } from './nip49';

export { generateSecretKey, getPublicKey };

/**
 * A public key as 64 lower-case hex characters, from hex of any case or npub (NIP-19); undefined when it is
 * neither or not a point of the curve, to which nobody could encrypt.
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

/** The same without asking whether the key is on the curve: for comparing keys. */
export function publicKeyHex(text: string): string | undefined {
  // Blanks of ASCII alone, as every database takes them away too: a key with another blank before it would be
  // one key here and another there.
  const trimmed = text.replace(/^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g, '');
  if (/^[0-9a-fA-F]{64}$/.test(trimmed)) return trimmed.toLowerCase();
  // Bech32 is upper or lower case, never mixed; machines are paired with either.
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
 * A secret key from nsec (NIP-19) or 64 hex characters; undefined when it is neither. The caller keeps it out
 * of messages.
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
    // An nsec can spell a number that is no key.
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
 * @throws RepublishError SignerUnlockFailed when it lies under another secrets key.
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
