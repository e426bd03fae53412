import fc from 'fast-check';
import { largestBunkerMessage } from '../../nostr/bunker/message-size';
import { generateSecretKey, getPublicKey } from '../../nostr/keys';
import { encrypt, getConversationKey } from '../../nostr/nip44';

const secretKey = generateSecretKey();
const pubkey = getPublicKey(secretKey);
const key = getConversationKey(secretKey, pubkey);
const id = 'i'.repeat(36);
const tags = [
  ['d', `bitspire-fees:${pubkey}`],
  ['p', pubkey],
];

/** As it goes over the wire. */
function sent(text: string): number {
  const event = {
    id: pubkey,
    pubkey,
    created_at: 1_800_000_000,
    kind: 24133,
    tags: [['p', pubkey]],
    content: encrypt(text, key),
    sig: 'a'.repeat(128),
  };
  return Buffer.byteLength(JSON.stringify(['EVENT', event]));
}

describe('largestBunkerMessage', () => {
  it('is as large as the larger of what is really sent', () => {
    const states = fc.string({ unit: 'binary', minLength: 1, maxLength: 4_000 });
    fc.assert(
      fc.property(states, (plaintext) => {
        const encryption = JSON.stringify({ id, method: 'nip44_encrypt', params: [pubkey, plaintext] });
        const content = encrypt(plaintext, key);
        const event = { id: pubkey, pubkey, created_at: 1_800_000_000, kind: 30078, tags, content };
        const signed = JSON.stringify({ ...event, sig: 'a'.repeat(128) });
        const signature = JSON.stringify({ id, result: signed, error: '' });
        const { messageBytes } = largestBunkerMessage(tags, plaintext);
        return messageBytes === Math.max(sent(encryption), sent(signature));
      }),
      { numRuns: 50 },
    );
  });

  it('is what strfry takes for a state of the largest size, and not for one of a step more', () => {
    const row = '{"denomination":20,"position":1,"count":100},';
    const state = (bytes: number): string => row.repeat(Math.ceil(bytes / row.length)).slice(0, bytes);
    expect(largestBunkerMessage(tags, state(28_672)).messageBytes).toBeLessThan(65_536);
    expect(largestBunkerMessage(tags, state(32_769)).messageBytes).toBeGreaterThan(65_536);
  });
});
