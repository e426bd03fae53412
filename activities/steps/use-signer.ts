import { RepublishError, scopeOf } from '../../contract/failures';
import { findSigner, type SignerRow } from '../../database/signers';
import type { LnbitsSigner } from '../../nostr/signers/lnbits';
import type { Owner } from '../../nostr/signers/operator-signers';
import type { ActivityDependencies } from '../dependencies';

/**
 * The operator's current signer: the paired one, or the account's own. The signer itself is not asked.
 *
 * @throws RepublishError SignerNotConfigured, SignerPubkeyMismatch, SignerUnreadable
 */
export async function currentSigner(
  { database, operatorSigners }: Pick<ActivityDependencies, 'database' | 'operatorSigners'>,
  owner: Owner,
): Promise<SignerRow | LnbitsSigner> {
  return operatorSigners.current(owner, (await findSigner(database, owner.operatorUserId)) ?? null);
}

/** The same, or undefined where there is none: another check reports that. */
export async function currentSignerIfAny(
  deps: Pick<ActivityDependencies, 'database' | 'operatorSigners'>,
  owner: Owner,
): Promise<SignerRow | LnbitsSigner | undefined> {
  try {
    return await currentSigner(deps, owner);
  } catch (thrown) {
    if (thrown instanceof RepublishError && scopeOf(thrown.type) === 'signer') return undefined;
    throw thrown;
  }
}
