import { RepublishError } from '../../contract/failures';
import { findSigner } from '../../database/signers';
import type { Signer } from '../../nostr/signers/signer';
import type { ActivityDependencies } from '../dependencies';

/**
 * Lends the operator's current signer to `work`, if it still is the one that holds this key: the signer may have been
 * replaced since the run began.
 */
export async function useSigner<T>(
  deps: ActivityDependencies,
  operatorUserId: string,
  operatorPubkey: string,
  work: (signer: Signer) => Promise<T>,
): Promise<T> {
  const stored = await findSigner(deps.database, operatorUserId);
  if (stored === undefined) {
    throw new RepublishError('SignerNotConfigured', `operator ${operatorUserId} has no signer any more`);
  }
  if (stored.pubkey !== operatorPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the signer was replaced by one that signs as ${stored.pubkey}; this run is for ${operatorPubkey}`,
    );
  }
  return deps.keyring.use(stored, work);
}
