import type { RunReference } from '../contract/activities';
import { isRetryable, RepublishError } from '../contract/failures';
import { keepProof } from '../database/ledger/proofs';
import { nameOfSigner } from '../nostr/signers/keyring';
import { proveSigner as prove } from '../nostr/signers/prove';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { openedRun } from './steps/open-run';
import type { Probes } from './steps/probes';
import { currentSigner } from './steps/use-signer';

/**
 * Proves the operator's current signer before a document of the run uses it. The proof is a fact of the
 * ledger, for this run and this signer. A signer that is paired during the run needs a new proof.
 */
export async function proveSigner(
  deps: ActivityDependencies,
  { runId }: RunReference,
  { signal, approvalListener, scheduledAtMs }: ActivityCall,
  probes: Probes,
): Promise<void> {
  const { operatorUserId, operatorPubkey } = await openedRun(deps, runId);
  const signer = await currentSigner(deps, { operatorUserId, operatorPubkey });
  const proof = { runId, signer: nameOfSigner(signer), scheduledAtMs };
  // A person may have to approve it.
  const call = { signal, onApproval: approvalListener(), patient: true };
  try {
    await deps.keyring.use(signer, (open) => prove(open, operatorPubkey, call, probes.of(proof)));
  } catch (thrown) {
    // A bunker or relay drops requests with a wrong date without a word. Then the clock is the reason.
    if (thrown instanceof RepublishError && isRetryable(thrown.type)) await deps.clock.requireRight();
    throw thrown;
  }
  await keepProof(deps.database, runId, proof.signer);
  probes.forget(proof);
  deps.failpoint('after-proof');
}
