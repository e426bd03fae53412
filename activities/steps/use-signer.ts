import { RepublishError } from '../../contract/failures';
import { findSigner, type SignerRow } from '../../database/signers';
import type { Signer } from '../../nostr/signers/signer';
import type { ActivityDependencies } from '../dependencies';

/** The operator's current signer, as long as it is the one that holds a key. */
export interface SignerLoan {
  /** @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch */
  use<T>(work: (signer: Signer) => Promise<T>): Promise<T>;
}

/** Lends the operator's signer for one attempt: it is looked up when it is first needed, and not for each question anew. */
export function lendSigner(
  deps: ActivityDependencies,
  operatorUserId: string,
  operatorPubkey: string,
): SignerLoan {
  let found: Promise<SignerRow> | undefined;
  return {
    async use(work) {
      found ??= currentSigner(deps, operatorUserId, operatorPubkey);
      return deps.keyring.use(await found, work);
    },
  };
}

/** Lends it for a single question. */
export function useSigner<T>(
  deps: ActivityDependencies,
  operatorUserId: string,
  operatorPubkey: string,
  work: (signer: Signer) => Promise<T>,
): Promise<T> {
  return lendSigner(deps, operatorUserId, operatorPubkey).use(work);
}

/** The signer may have been replaced since the run began. */
async function currentSigner(
  deps: ActivityDependencies,
  operatorUserId: string,
  operatorPubkey: string,
): Promise<SignerRow> {
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
  return stored;
}
