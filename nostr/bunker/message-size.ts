import { nip44PayloadLength } from '../nip44';
import { BUNKER_KIND } from './link';

/** What has to pass the relays of a bunker. */
export interface MessageSize {
  /** Characters of the event's content. */
  contentChars: number;
  /** Bytes of `["EVENT", {...}]`. */
  messageBytes: number;
}

const KEY = '0'.repeat(64);
const SIGNATURE = '0'.repeat(128);
const ID = '0'.repeat(36);
const DATE_S = 1_800_000_000;

/**
 * The largest message (kind 24133) that a document costs on its way to a bunker and back: the request that
 * encrypts its state, or the signed event in the answer. JSON within JSON escapes each quote, and NIP-44 pads.
 *
 * @param tags of the document
 */
export function largestBunkerMessage(tags: string[][], plaintext: string): MessageSize {
  const encryption = { id: ID, method: 'nip44_encrypt', params: [KEY, plaintext] };
  // The ciphertext is base64: nothing of it is escaped, so that its length is all that counts.
  const ciphertextChars = nip44PayloadLength(Buffer.byteLength(plaintext, 'utf8'));
  const event = { id: KEY, pubkey: KEY, created_at: DATE_S, kind: 30078, tags, content: '', sig: SIGNATURE };
  const signature = { id: ID, result: JSON.stringify(event), error: '' };
  return sizeOf(Math.max(bytesOf(encryption), bytesOf(signature) + ciphertextChars));
}

function sizeOf(textBytes: number): MessageSize {
  const contentChars = nip44PayloadLength(textBytes);
  const event = {
    id: KEY,
    pubkey: KEY,
    created_at: DATE_S,
    kind: BUNKER_KIND,
    tags: [['p', KEY]],
    content: '',
    sig: SIGNATURE,
  };
  return { contentChars, messageBytes: bytesOf(['EVENT', event]) + contentChars };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value), 'utf8');
}
