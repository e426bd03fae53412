import { ensureError, RepublishError } from '../../contract/failures';
import { generateSecretKey, getPublicKey } from '../keys';
import { decrypt, getConversationKey } from '../nip44';
import type { RunQuestion } from '../bunker/question-id';
import type { SignedEvent, UnsignedEvent } from '../events';
import type { Signer, SignerCall } from './signer';

/** Text that some bunkers trim, normalise (NFC, NFKD), escape or cut; repeated up to 1 KB. */
const AWKWARD =
  ' "quotes" \\ back\\slash / {"json": [1.10, -0]} \t\n\r\n é e\u0301 \u212b ﬁ ① 🏧👩‍🚀 \u200b\u00a0 ';
const PROBE_BYTES = 1_024;
const PROBE_AGE_S = 3_600;
/** No document type has this name, and no machine reads it. */
export const PROBE_D = 'republish-operator-configs-probe';

/** What a proof asks a signer to encrypt, where it may be tried again. */
export interface Probe {
  question: RunQuestion;
  /** Makes the secret key of the one who decrypts, 32 bytes. */
  recipient(): Uint8Array;
  /** Called when the encryption failed, or its result cannot be decrypted to the same text. */
  onFailed(failure: RepublishError): void;
}

/**
 * Proves a signer: it names the account's key, and the recipient can decrypt what it encrypts, to the byte. A
 * bunker that encrypts with another key, or trims the text, would otherwise leave every machine without a
 * readable document in a run that ends as "complete". The first signature, which is checked, proves that it
 * can sign.
 *
 * @param expectedPubkey hex: the author that the documents must have
 * @param probe where the proof may be tried again
 * @throws RepublishError SignerPubkeyMismatch, SignerCannotEncrypt, and what the signer throws
 */
export async function proveSigner(
  signer: Signer,
  expectedPubkey: string,
  call: SignerCall = {},
  probe?: Probe,
): Promise<void> {
  // Asked anew in each attempt: the signer may have another key by now, or be away.
  const pubkey = await signer.getPublicKey(call);
  if (pubkey !== expectedPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the signer says that it signs as ${pubkey}, the account's public key is ${expectedPubkey}`,
    );
  }
  try {
    await proveEncryption(
      signer,
      pubkey,
      { ...call, question: probe?.question },
      { recipient: probe?.recipient() },
    );
  } catch (thrown) {
    if (thrown instanceof RepublishError) probe?.onFailed(thrown);
    throw thrown;
  }
}

/**
 * The encryption part of the proof, for a signer whose key is known.
 *
 * @param text to encrypt
 * @param recipient secret key of the one who decrypts; it is wiped here. Default: a fresh one
 * @throws RepublishError SignerCannotEncrypt
 */
export async function proveEncryption(
  signer: Signer,
  signerPubkey: string,
  call?: SignerCall,
  {
    text = probeText(),
    recipient = generateSecretKey(),
  }: { text?: string; recipient?: Uint8Array | undefined } = {},
): Promise<void> {
  try {
    const ciphertext = await encrypted(signer, getPublicKey(recipient), text, call);
    if (readWith(recipient, signerPubkey, ciphertext) !== text)
      throw cannotEncrypt('what it encrypts is another text than it was given');
  } finally {
    recipient.fill(0);
  }
}

/**
 * An event of a document's kind that is worthless to a thief: no machine reads its address, and it is expired
 * (NIP-40). Its date is an hour old, so that a signer that replaces dates is noticed.
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
 * Proves that a signer signs the event that it gets, without a change. The signed event is thrown away.
 *
 * @throws RepublishError SignerChangesEvents, and what the signer throws
 */
export function proveSignature(
  signer: Signer,
  signerPubkey: string,
  call?: SignerCall,
): Promise<SignedEvent> {
  return signer.signEvent(probeDocument(signerPubkey), call);
}

async function encrypted(signer: Signer, peer: string, text: string, call?: SignerCall): Promise<string> {
  try {
    return await signer.nip44Encrypt(peer, text, call);
  } catch (thrown) {
    // The answer cannot be this text in NIP-44.
    if (thrown instanceof RepublishError && thrown.type === 'SignerReturnedWrongEvent')
      throw cannotEncrypt(thrown.message);
    throw thrown;
  }
}

function readWith(recipient: Uint8Array, signerPubkey: string, ciphertext: string): string {
  const conversationKey = getConversationKey(recipient, signerPubkey);
  try {
    return decrypt(ciphertext, conversationKey);
  } catch (thrown) {
    throw cannotEncrypt(
      `what it encrypts cannot be read with the key ${signerPubkey} (${ensureError(thrown).message}): it ` +
        `may encrypt with a key of its own`,
    );
  } finally {
    conversationKey.fill(0);
  }
}

function cannotEncrypt(why: string): RepublishError {
  return new RepublishError('SignerCannotEncrypt', `a text was given to the signer to try it: ${why}`);
}

/** Begins and ends with blanks, which some bunkers trim. */
function probeText(): string {
  const unit = Buffer.byteLength(AWKWARD, 'utf8');
  const text = AWKWARD.repeat(Math.floor(PROBE_BYTES / unit));
  return text + ' '.repeat(PROBE_BYTES - Buffer.byteLength(text, 'utf8'));
}
