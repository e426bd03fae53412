import fc from 'fast-check';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { encrypt, getConversationKey } from 'nostr-tools/nip44';
import { sizeOfDocument } from '../../activities/steps/relay-objections';
import { limitsIn } from '../../nostr/relays/relay-information';

describe('what a relay says of its limits (NIP-11)', () => {
  it('is read from its information document', () => {
    const limitation = {
      max_message_length: 16_384,
      max_content_length: 8_196,
      created_at_upper_limit: 900,
      created_at_lower_limit: 31_536_000,
      max_filters: 20,
      auth_required: true,
      payment_required: true,
    };
    expect(limitsIn(JSON.stringify({ name: 'a relay', limitation }))).toEqual({
      maxMessageBytes: 16_384,
      maxContentChars: 8_196,
      maxAheadS: 900,
      maxBehindS: 31_536_000,
      maxFilters: 20,
      authRequired: true,
    });
  });

  it.each([
    '{}',
    '{"limitation":null}',
    '{"limitation":[]}',
    '{"limitation":"none"}',
    '{"limitation":{"max_message_length":"big","max_content_length":-1,"created_at_upper_limit":0,"created_at_lower_limit":0,"auth_required":"yes"}}',
  ])('is nothing in %s', (document) => {
    expect(limitsIn(document)).toEqual({ authRequired: false });
  });
});

describe('the size of a document', () => {
  const key = generateSecretKey();
  const atm = getPublicKey(generateSecretKey());

  it('is known before it is encrypted', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ minLength: 1, maxLength: 3_000 }),
          fc.integer({ min: 1, max: 90_000 }).map((n) => 'x'.repeat(n)),
        ),
        (plaintext) => {
          const d = `bitspire-fees:${atm}`;
          const content = encrypt(plaintext, getConversationKey(key, atm));
          const tags = [['d', d]];
          const event = finalizeEvent(
            { kind: 30078, created_at: Math.floor(Date.now() / 1000), tags, content },
            key,
          );
          expect(sizeOfDocument(tags, Buffer.byteLength(plaintext))).toEqual({
            contentChars: content.length,
            messageBytes: Buffer.byteLength(JSON.stringify(['EVENT', event])),
          });
        },
      ),
      { numRuns: 40 },
    );
  });
});
