import { RepublishError } from '../../contract/failures';
import { findSigner, type SignerRow } from '../../database/signers';
import type { Signer } from '../../nostr/signers/signer';
import type { ActivityDependencies } from '../dependencies';

/** Whose signer it is, and the key that a run is for. */
interface Owner {
  operatorUserId: string;
  operatorPubkey: string;
}

/** The operator's current signer, as long as it is the one that holds a key. */
export interface SignerLoan {
  /** @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch */
  use<T>(work: (signer: Signer) => Promise<T>): Promise<T>;
}

/** Lends the operator's signer, as it was stored when the attempt began, to the steps of the attempt. */
export function lendSigner(deps: ActivityDependencies, owner: Owner, stored: SignerRow | null): SignerLoan {
  return { use: async (work) => deps.keyring.use(requireCurrent(owner, stored), work) };
}

/** Lends it for a single question. */
export async function useSigner<T>(
  deps: ActivityDependencies,
  owner: Owner,
  work: (signer: Signer) => Promise<T>,
): Promise<T> {
  const stored = await findSigner(deps.database, owner.operatorUserId);
  return deps.keyring.use(requireCurrent(owner, stored ?? null), work);
}

/** The signer may have been replaced since the run began. */
function requireCurrent({ operatorUserId, operatorPubkey }: Owner, stored: SignerRow | null): SignerRow {
  if (stored === null) {
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
