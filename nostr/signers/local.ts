import { getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { encrypt, getConversationKey } from '../nip44';
import { signWith } from '../schnorr';
import type { OpenedSigner } from './signer';

/** Conversation keys are kept for a while: a machine has several documents, close together. */
const MAX_KEPT_KEYS = 100;

/** A signer whose key is in this process. The key is wiped when it is closed. */
export function createLocalSigner(secretKey: Uint8Array): OpenedSigner {
  const conversationKeys = new Map<string, Uint8Array>();
  const conversationKeyWith = (peer: string): Uint8Array => {
    const key = conversationKeys.get(peer) ?? getConversationKey(secretKey, peer);
    conversationKeys.set(peer, key);
    if (conversationKeys.size > MAX_KEPT_KEYS) {
      const [oldest = ''] = conversationKeys.keys();
      conversationKeys.get(oldest)?.fill(0);
      conversationKeys.delete(oldest);
    }
    return key;
  };
  return {
    getPublicKey: async () => getPublicKey(secretKey),
    nip44Encrypt: async (peer, plaintext) => encrypt(plaintext, conversationKeyWith(peer)),
    signEvent: async ({ kind, created_at, tags, content, pubkey }) => {
      const signed = signWith(secretKey, { kind, created_at, tags, content });
      // With another author it is another event, with another id than the sealed one.
      if (signed.pubkey !== pubkey) {
        throw new RepublishError('SignerReturnedWrongEvent', 'the local key is not the key of the event');
      }
      return signed;
    },
    close: () => {
      secretKey.fill(0);
      for (const key of conversationKeys.values()) key.fill(0);
      conversationKeys.clear();
    },
  };
}
