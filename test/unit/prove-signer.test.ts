import { generateSecretKey, getPublicKey } from '../../nostr/keys';
import { encrypt, getConversationKey } from '../../nostr/nip44';
import { createLocalSigner } from '../../nostr/signers/local';
import { proveEncryption, proveSigner } from '../../nostr/signers/prove';
import type { Signer } from '../../nostr/signers/signer';

const operatorKey = generateSecretKey();
const operatorPubkey = getPublicKey(operatorKey);
const sound = (): Signer => createLocalSigner(Uint8Array.from(operatorKey));

/** A signer that encrypts in a way of its own; it is the real one otherwise. */
const encrypting = (nip44Encrypt: Signer['nip44Encrypt']): Signer => ({ ...sound(), nip44Encrypt });

describe('proveSigner', () => {
  it('is content with a signer that does as it is told', async () => {
    await expect(proveSigner(sound(), operatorPubkey)).resolves.toBeUndefined();
  });

  it('refuses a signer of another key before it is given anything', async () => {
    const asked: string[] = [];
    const signer = encrypting(async (peer) => (asked.push(peer), ''));
    await expect(proveSigner(signer, getPublicKey(generateSecretKey()))).rejects.toMatchObject({
      type: 'SignerPubkeyMismatch',
    });
    expect(asked).toEqual([]);
  });

  const ownKey = generateSecretKey();
  it.each<[string, (text: string, peer: string) => string]>([
    ['encrypts with a key of its own', (text, peer) => encrypt(text, getConversationKey(ownKey, peer))],
    ['trims', (text, peer) => encrypt(text.trim(), getConversationKey(operatorKey, peer))],
    ['normalises', (text, peer) => encrypt(text.normalize('NFKD'), getConversationKey(operatorKey, peer))],
    ['composes', (text, peer) => encrypt(text.normalize('NFC'), getConversationKey(operatorKey, peer))],
    ['cuts', (text, peer) => encrypt(text.slice(0, 500), getConversationKey(operatorKey, peer))],
    [
      'changes line ends',
      (text, peer) => encrypt(text.replaceAll('\r\n', '\n'), getConversationKey(operatorKey, peer)),
    ],
  ])('refuses a signer that %s', async (_, make) => {
    const signer = encrypting(async (peer, text) => make(text, peer));
    await expect(proveEncryption(signer, operatorPubkey)).rejects.toMatchObject({
      type: 'SignerCannotEncrypt',
    });
  });

  it('gives the signer 1 KB', async () => {
    let bytes = 0;
    const signer = encrypting((peer, text) => {
      bytes = Buffer.byteLength(text, 'utf8');
      return sound().nip44Encrypt(peer, text);
    });
    await proveEncryption(signer, operatorPubkey);
    expect(bytes).toBe(1_024);
  });
});
