import type { RelayIdentity } from '../../nostr/relays/identity';
import type { Owner } from '../../nostr/signers/operator-signers';
import type { ActivityCall, ActivityDependencies } from '../dependencies';
import { currentSigner } from './use-signer';

/**
 * The operator, for relays that demand to know who comes (NIP-42). Asks the signer when a relay asks. Not
 * bound to the page that happens to be first: others wait for the same answer.
 */
export function relayIdentity(
  deps: ActivityDependencies,
  { operatorUserId, operatorPubkey }: Owner,
  { approvalListener }: Pick<ActivityCall, 'approvalListener'>,
): RelayIdentity {
  return {
    pubkey: operatorPubkey,
    sign: async (event) =>
      deps.keyring.use(await currentSigner(deps, { operatorUserId, operatorPubkey }), (signer) =>
        signer.signEvent(event, { onApproval: approvalListener() }),
      ),
  };
}
