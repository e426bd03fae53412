import type { RunReference } from '../contract/activities';
import { isRetryable, RepublishError } from '../contract/failures';
import { keepProof } from '../database/ledger/proofs';
import { isUselessAnswer } from '../nostr/bunker/messages';
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
  { signal, approvalListener }: ActivityCall,
  probes: Probes,
): Promise<void> {
  const { operatorUserId, operatorPubkey } = await openedRun(deps, runId);
  const signer = await currentSigner(deps, { operatorUserId, operatorPubkey });
  const probed = { runId, signer: nameOfSigner(signer) };
  // A person may have to approve it.
  const call = { signal, question: probes.questionOf(probed), onApproval: approvalListener(), patient: true };
  try {
    await deps.keyring.use(signer, (open) => prove(open, operatorPubkey, call, probes.recipientOf(probed)));
  } catch (thrown) {
    if (thrown instanceof RepublishError && isAnswered(thrown)) probes.noteUselessAnswer(probed);
    // A bunker or relay drops requests with a wrong date without a word. Then the clock is the reason.
    if (thrown instanceof RepublishError && isRetryable(thrown.type)) await deps.clock.requireRight();
    throw thrown;
  }
  probes.forget(probed);
  await keepProof(deps.database, runId, probed.signer);
  deps.failpoint('after-proof');
}

/** A passing failure in which the signer said nothing leaves the question open. */
function isAnswered(failure: RepublishError): boolean {
  return isUselessAnswer(failure) || !isRetryable(failure.type);
}
