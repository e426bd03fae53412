import { RepublishError } from '../contract/failures';
import { getPublicKey } from '../nostr/keys';
import { AuthWithheld, type RelayIdentity } from '../nostr/relays/identity';
import type { SignedEvent } from '../nostr/events';
import { shownRelay } from '../nostr/relays/url';
import { createLocalSigner } from '../nostr/signers/local';
import { askCurrentSigner } from '../pairing/current-signers';
import type { SignerContext } from '../pairing/facts';

/** How a relay is described that answers only clients that it knows (NIP-42). */
export const REQUIRES_AUTH = 'requires authentication (NIP-42)';

/** An identity that answers no challenge: nobody. */
export const NOBODY: RelayIdentity = {
  pubkey: '0'.repeat(64),
  sign: () => Promise.reject(new AuthWithheld('an inspection signs nothing')),
};

/** A machine that reads its own documents. The caller wipes the key. */
export function asMachine(secretKey: Uint8Array): RelayIdentity {
  const signer = createLocalSigner(secretKey);
  return { pubkey: getPublicKey(secretKey), sign: (event) => signer.signEvent(event) };
}

/**
 * The operator, whose signer signs the answer to each challenge. The caller asked for that (`--auth`).
 *
 * @param say is called before the signer is asked, and with what a person must do meanwhile
 */
export function asOperator(
  signers: Omit<SignerContext, 'operatorUserId' | 'say'>,
  { operatorUserId, operatorPubkey }: { operatorUserId: string; operatorPubkey: string },
  say: (text: string) => void,
): RelayIdentity {
  return {
    pubkey: operatorPubkey,
    sign: async (event) => {
      const relay = event.tags.find(([name]) => name === 'relay')?.[1] ?? '';
      say(
        `${shownRelay(relay)} ${REQUIRES_AUTH}: the signer is asked to sign that (kind 22242), and may ` +
          `ask a person`,
      );
      let signed: SignedEvent | undefined;
      const context = { ...signers, operatorUserId, say };
      const { pubkey } = await askCurrentSigner(context, {
        async ask(open, named) {
          if (named === operatorPubkey) signed = await open.signEvent(event);
        },
      });
      if (signed !== undefined) return signed;
      throw new RepublishError(
        'SignerPubkeyMismatch',
        `the signer says that it signs as ${pubkey}, the account's public key is ${operatorPubkey}`,
      );
    },
  };
}
