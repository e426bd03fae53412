import { RepublishError, scopeOf } from '../../contract/failures';
import { findSigner, type SignerRow } from '../../database/signers';
import type { Owner, UnstoredSigner } from '../../nostr/signers/operator-signers';
import type { ReadOnlyDependencies } from '../dependencies';

/**
 * The operator's current signer: the paired one, or the account's own. The signer itself is not asked.
 *
 * @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable
 */
export async function currentSigner(
  { database, operatorSigners }: Pick<ReadOnlyDependencies, 'database' | 'operatorSigners'>,
  owner: Owner,
): Promise<SignerRow | UnstoredSigner> {
  return operatorSigners.current(owner, (await findSigner(database, owner.operatorUserId)) ?? null);
}

/** The same, or undefined where there is none: another check reports that. */
export async function currentSignerIfAny(
  deps: Pick<ReadOnlyDependencies, 'database' | 'operatorSigners'>,
  owner: Owner,
): Promise<SignerRow | UnstoredSigner | undefined> {
  try {
    return await currentSigner(deps, owner);
  } catch (thrown) {
    if (thrown instanceof RepublishError && scopeOf(thrown.type) === 'signer') return undefined;
    throw thrown;
  }
}
