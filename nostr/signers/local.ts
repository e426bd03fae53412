import { encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, getPublicKey } from 'nostr-tools/pure';
import type { Signer } from './signer';

/** A signer whose key is in this process. The key is wiped when it is closed. */
export function createLocalSigner(secretKey: Uint8Array): Signer {
  return {
    getPublicKey: async () => getPublicKey(secretKey),
    nip44Encrypt: async (peer, plaintext) => encrypt(plaintext, getConversationKey(secretKey, peer)),
    signEvent: async ({ kind, created_at, tags, content }) =>
      finalizeEvent({ kind, created_at, tags, content }, secretKey),
    close: () => secretKey.fill(0),
  };
}
