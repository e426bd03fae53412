import type { AskSignerInput } from '../contract/activities';
import { RepublishError } from '../contract/failures';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { useSigner } from './steps/use-signer';

/**
 * Asks the signer itself which key it signs with, before anything is signed. It proves no possession (the first signature
 * does), but finds a bunker that is down or has changed its key before a hundred documents do.
 */
export async function askSigner(
  deps: ActivityDependencies,
  { operatorUserId, operatorPubkey }: AskSignerInput,
  { signerCall }: ActivityCall,
): Promise<void> {
  const pubkey = await useSigner(deps, { operatorUserId, operatorPubkey }, (signer) =>
    signer.getPublicKey(signerCall),
  );
  if (pubkey !== operatorPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the signer says that it signs as ${pubkey}, the account's public key is ${operatorPubkey}`,
    );
  }
}
