import { RepublishError } from '../../contract/failures';
import type { BunkerClient } from '../bunker/client';
import { AUTH_KIND, AuthWithheld } from '../relays/identity';
import type { OpenedSigner } from './signer';

/**
 * Requests in flight with LNbits' own client key. LNbits depends on that key, and its own requests come
 * first.
 */
export const LNBITS_CONCURRENCY = 2;

/** A bunker that is down does not answer, and nsecbunkerd refuses most requests without an answer. */
export const LNBITS_SILENCE =
  'it is down, or not on the relays of REPUBLISH_LNBITS_BUNKER_RELAYS; nsecbunkerd is silent, too, where ' +
  'the client of LNbits was not granted nip44_encrypt and sign_event:30078, its use is capped and used ' +
  'up, or the key is locked';

/** Kind of documents: what LNbits' client is allowed to sign, as far as that is documented. */
const GRANTED_KIND = 30078;

/**
 * A bunker with LNbits' own client key. It is asked only for get_public_key, nip44_encrypt and sign_event of
 * documents. `connect` and `switch_relays` could change what LNbits depends on. nsecbunkerd does not answer
 * what it does not allow: an answer to a relay's challenge (kind 22242) would take a whole timeout per relay.
 */
export function lnbitsClient(client: BunkerClient): OpenedSigner {
  return {
    getPublicKey: (call) => client.getPublicKey(call),
    nip44Encrypt: (peer, plaintext, call) => client.nip44Encrypt(peer, plaintext, call),
    signEvent: async (event, call) => {
      if (event.kind === GRANTED_KIND) return client.signEvent(event, call);
      if (event.kind === AUTH_KIND) {
        throw new AuthWithheld(
          "LNbits' own bunker client is not asked to authenticate to relays (NIP-42); pair a bunker for " +
            'that: republish signer add',
        );
      }
      throw new RepublishError(
        'SignerRefused',
        `LNbits' own bunker client is asked for kind ${GRANTED_KIND} only, not for kind ${event.kind}`,
      );
    },
    get isAwaited() {
      return client.isAwaited;
    },
    close: () => client.close(),
  };
}
