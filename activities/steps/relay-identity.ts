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
  { runId, operatorUserId, operatorPubkey }: Owner & { runId: string },
  { approvalListener }: Pick<ActivityCall, 'approvalListener'>,
): RelayIdentity {
  // If a login is asked for again, it is the same question. A person approves it once, and a late signature
  // counts.
  const question = { runId, n: 0 };
  return {
    pubkey: operatorPubkey,
    sign: async (event) =>
      deps.keyring.use(await currentSigner(deps, { operatorUserId, operatorPubkey }), (signer) =>
        signer.signEvent(event, { question, onApproval: approvalListener() }),
      ),
  };
}
