import { findSigner, type SignerRow } from '../../database/signers';
import type { LnbitsSigner } from '../../nostr/signers/lnbits';
import type { Owner } from '../../nostr/signers/operator-signers';
import type { Signer } from '../../nostr/signers/signer';
import type { ActivityDependencies } from '../dependencies';

type SignerDependencies = Pick<ActivityDependencies, 'database' | 'keyring' | 'operatorSigners'>;

/** The operator's current signer, as long as it is the one that holds a key. */
export interface SignerLoan {
  /** @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable */
  use<T>(work: (signer: Signer) => Promise<T>): Promise<T>;
}

/**
 * Lends the operator's signer to the steps of an attempt: the one that was paired here, as it was stored when the attempt began, or
 * the account's own. The signer may have been replaced since the run began, so that each use looks whose key it holds.
 */
export function lendSigner(
  { keyring, operatorSigners }: SignerDependencies,
  owner: Owner,
  stored: SignerRow | null,
): SignerLoan {
  return { use: async (work) => keyring.use(await operatorSigners.current(owner, stored), work) };
}

/** Lends it for a single question. */
export async function useSigner<T>(
  deps: SignerDependencies,
  owner: Owner,
  work: (signer: Signer) => Promise<T>,
): Promise<T> {
  return deps.keyring.use(await currentSigner(deps, owner), work);
}

/** Which signer that is; it is not asked. @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable */
export async function currentSigner(
  { database, operatorSigners }: Pick<SignerDependencies, 'database' | 'operatorSigners'>,
  owner: Owner,
): Promise<SignerRow | LnbitsSigner> {
  return operatorSigners.current(owner, (await findSigner(database, owner.operatorUserId)) ?? null);
}
