import { RepublishError } from '../contract/failures';
import { getPublicKey } from '../nostr/keys';
import { AuthWithheld, type RelayIdentity } from '../nostr/relays/identity';
import type { SignedEvent } from '../nostr/events';
import { shownRelay } from '../nostr/relays/url';
import { createLocalSigner } from '../nostr/signers/local';
import { askCurrentSigner } from '../pairing/current-signers';
import type { SignerContext } from '../pairing/facts';

/** What a relay says of itself that shows nothing to somebody it does not know (NIP-42). */
export const WANTS_TO_KNOW = 'wants to know who asks';

/** Asks as long as nobody is named: it answers no challenge. */
export const NOBODY: RelayIdentity = {
  pubkey: '0'.repeat(64),
  sign: () => Promise.reject(new AuthWithheld('an inspection signs nothing')),
};

/** A machine that asks for its own documents. The caller wipes the key. */
export function asMachine(secretKey: Uint8Array): RelayIdentity {
  const signer = createLocalSigner(secretKey);
  return { pubkey: getPublicKey(secretKey), sign: (event) => signer.signEvent(event) };
}

/**
 * The operator, whose signer is asked for the answer to each challenge, and who has said so.
 *
 * @param say told before it is asked, and what a person has to do meanwhile
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
        `${shownRelay(relay)} ${WANTS_TO_KNOW}: the signer is asked to sign that (kind 22242), and may ask a person`,
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
