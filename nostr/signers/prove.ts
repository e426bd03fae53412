import { ensureError, RepublishError } from '../../contract/failures';
import { generateSecretKey, getPublicKey } from '../keys';
import { decrypt, getConversationKey } from '../nip44';
import type { SignedEvent, UnsignedEvent } from '../events';
import type { Signer, SignerCall } from './signer';

/** What bunkers were seen to trim, normalise (NFC, NFKD), escape or cut; 1 KB of it. */
const AWKWARD =
  ' "quotes" \\ back\\slash / {"json": [1.10, -0]} \t\n\r\n é e\u0301 \u212b ﬁ ① 🏧👩‍🚀 \u200b\u00a0 ';
const PROBE_BYTES = 1_024;
const PROBE_AGE_S = 3_600;
/** No document type has this name, and no machine reads it. */
export const PROBE_D = 'republish-operator-configs-probe';

/**
 * Proves that a signer is the one that is needed: it names its key, and what it encrypts can be read by
 * whoever it was encrypted to, to the byte. A bunker that encrypts with another key, or trims the text, would
 * leave every machine dark under a run that says "complete". That it can sign is proved by the first
 * signature, which is checked.
 *
 * @param expectedPubkey hex: who the documents' author has to be
 * @throws RepublishError SignerPubkeyMismatch, SignerCannotEncrypt, and what the signer itself throws
 */
export async function proveSigner(signer: Signer, expectedPubkey: string, call?: SignerCall): Promise<void> {
  const pubkey = await signer.getPublicKey(call);
  if (pubkey !== expectedPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the signer says that it signs as ${pubkey}, the account's public key is ${expectedPubkey}`,
    );
  }
  await proveEncryption(signer, pubkey, call);
}

/**
 * The second half of it, for a signer whose key is known.
 *
 * @param probe what it is given to encrypt
 * @throws RepublishError SignerCannotEncrypt
 */
export async function proveEncryption(
  signer: Signer,
  signerPubkey: string,
  call?: SignerCall,
  probe = probeText(),
): Promise<void> {
  const machineKey = generateSecretKey();
  try {
    const ciphertext = await encrypted(signer, getPublicKey(machineKey), probe, call);
    if (readWith(machineKey, signerPubkey, ciphertext) !== probe)
      throw cannotEncrypt('what it encrypts is another text than it was given');
  } finally {
    machineKey.fill(0);
  }
}

/**
 * An event of a document's kind that is worth nothing to whoever gets hold of it: no machine reads its
 * address, and it has expired (NIP-40). Of an earlier hour, so that a signer which puts dates of its own is
 * found out.
 */
export function probeDocument(signerPubkey: string): UnsignedEvent {
  const created_at = Math.floor(Date.now() / 1000) - PROBE_AGE_S;
  return {
    pubkey: signerPubkey,
    kind: 30078,
    created_at,
    tags: [
      ['d', PROBE_D],
      ['expiration', String(created_at)],
    ],
    content: 'Signed to try a signer (republish signer check). It says nothing and is published nowhere.',
  };
}

/**
 * Proves that a signer signs what it is given and changes nothing. What it signs is thrown away.
 *
 * @throws RepublishError SignerChangesEvents, and what the signer itself throws
 */
export function proveSignature(
  signer: Signer,
  signerPubkey: string,
  call?: SignerCall,
): Promise<SignedEvent> {
  return signer.signEvent(probeDocument(signerPubkey), call);
}

async function encrypted(signer: Signer, peer: string, probe: string, call?: SignerCall): Promise<string> {
  try {
    return await signer.nip44Encrypt(peer, probe, call);
  } catch (thrown) {
    // Something came back that cannot be this text in NIP-44.
    if (thrown instanceof RepublishError && thrown.type === 'SignerReturnedWrongEvent')
      throw cannotEncrypt(thrown.message);
    throw thrown;
  }
}

function readWith(machineKey: Uint8Array, signerPubkey: string, ciphertext: string): string {
  const conversationKey = getConversationKey(machineKey, signerPubkey);
  try {
    return decrypt(ciphertext, conversationKey);
  } catch (thrown) {
    throw cannotEncrypt(
      `what it encrypts cannot be read with the key ${signerPubkey} (${ensureError(thrown).message}): it may encrypt with a key of its own`,
    );
  } finally {
    conversationKey.fill(0);
  }
}

function cannotEncrypt(why: string): RepublishError {
  return new RepublishError('SignerCannotEncrypt', `a text was given to the signer to try it: ${why}`);
}

/** Begins and ends with blanks, which some trim. */
function probeText(): string {
  const unit = Buffer.byteLength(AWKWARD, 'utf8');
  const text = AWKWARD.repeat(Math.floor(PROBE_BYTES / unit));
  return text + ' '.repeat(PROBE_BYTES - Buffer.byteLength(text, 'utf8'));
}
