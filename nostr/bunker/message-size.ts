import { emptyEvent, jsonBytes, type MessageSize, messageSize } from '../message-size';
import { nip44PayloadLength } from '../nip44';
import { BUNKER_KIND } from './link';

const KEY = '0'.repeat(64);
const ID = '0'.repeat(36);

/**
 * The size of the largest message (kind 24133) of a document between us and a bunker: the request that
 * encrypts the state, or the answer with the signed event. JSON within JSON escapes each quote, and NIP-44
 * pads.
 *
 * @param tags of the document
 */
export function largestBunkerMessage(tags: string[][], plaintext: string): MessageSize {
  const encryption = { id: ID, method: 'nip44_encrypt', params: [KEY, plaintext] };
  const ciphertextChars = nip44PayloadLength(Buffer.byteLength(plaintext, 'utf8'));
  const signature = { id: ID, result: JSON.stringify(emptyEvent(30078, tags)), error: '' };
  const textBytes = Math.max(jsonBytes(encryption), jsonBytes(signature) + ciphertextChars);
  return messageSize(BUNKER_KIND, [['p', KEY]], nip44PayloadLength(textBytes));
}
