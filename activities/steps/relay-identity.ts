import type { RelayIdentity } from '../../nostr/relays/identity';
import type { Owner } from '../../nostr/signers/operator-signers';
import type { ActivityCall, ActivityDependencies } from '../dependencies';
import { currentSigner } from './use-signer';

/**
 * The operator, for relays that demand a login (NIP-42). The signer is asked when a relay demands it. The
 * request does not end with the page that came first: other pages wait for the same answer.
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
