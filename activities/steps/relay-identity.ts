import type { RelayIdentity } from '../../nostr/relays/identity';
import type { SignerCall } from '../../nostr/signers/signer';
import type { ActivityDependencies } from '../dependencies';
import { useSigner } from './use-signer';

/**
 * The operator, for relays that demand to know who comes (NIP-42). Asks the signer when a relay asks. Not bound to the
 * document that happens to be first: others wait for the same answer.
 */
export function relayIdentity(
  deps: ActivityDependencies,
  operatorUserId: string,
  operatorPubkey: string,
  { onApproval }: SignerCall,
): RelayIdentity {
  return {
    pubkey: operatorPubkey,
    sign: (event) =>
      useSigner(deps, { operatorUserId, operatorPubkey }, (signer) =>
        signer.signEvent(event, { onApproval }),
      ),
  };
}
