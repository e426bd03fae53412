import { encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import type { Signer } from './signer';

/** A signer whose key is in this process. The key is wiped when it is closed. */
export function createLocalSigner(secretKey: Uint8Array): Signer {
  return {
    getPublicKey: async () => getPublicKey(secretKey),
    nip44Encrypt: async (peer, plaintext) => encrypt(plaintext, getConversationKey(secretKey, peer)),
    signEvent: async ({ kind, created_at, tags, content, pubkey }) => {
      const signed = finalizeEvent({ kind, created_at, tags, content }, secretKey);
      // Another author is another event, with another id than the one that was sealed.
      if (signed.pubkey !== pubkey) {
        throw new RepublishError('SignerReturnedWrongEvent', 'the local key is not the key of the event');
      }
      return signed;
    },
    close: () => secretKey.fill(0),
  };
}
