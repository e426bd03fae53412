import type { RunReference } from '../contract/activities';
import { isRetryable, RepublishError } from '../contract/failures';
import { keepProof } from '../database/ledger/proofs';
import { nameOfSigner } from '../nostr/signers/keyring';
import { proveSigner as prove } from '../nostr/signers/prove';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { openedRun } from './steps/open-run';
import { currentSigner } from './steps/use-signer';

/**
 * Proves the signer that the operator has now, before a document of the run is given to it. The proof is a
 * fact of the ledger, for this run and this very signer: one that is paired in the middle of the run is
 * proved anew.
 */
export async function proveSigner(
  deps: ActivityDependencies,
  { runId }: RunReference,
  { signal, approvalListener }: ActivityCall,
): Promise<void> {
  const { operatorUserId, operatorPubkey } = await openedRun(deps, runId);
  const signer = await currentSigner(deps, { operatorUserId, operatorPubkey });
  // A person may be asked for the probe, too.
  const call = { signal, onApproval: approvalListener(), patient: true };
  try {
    await deps.keyring.use(signer, (open) => prove(open, operatorPubkey, call));
  } catch (thrown) {
    // Requests that are dated wrongly are dropped on the way without a word: then that is the reason.
    if (thrown instanceof RepublishError && isRetryable(thrown.type)) await deps.clock.requireRight();
    throw thrown;
  }
  await keepProof(deps.database, runId, nameOfSigner(signer));
  deps.failpoint('after-proof');
}
