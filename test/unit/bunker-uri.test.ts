import fc from 'fast-check';
import { parseBunkerUri } from '../../nostr/bunker/uri';
import { generateSecretKey, getPublicKey, npub } from '../../nostr/keys';
import { parseRelayUrl } from '../../nostr/relays/url';

const pubkey = getPublicKey(generateSecretKey());
const relay = 'relay=wss%3A%2F%2Frelay.example';
const relays = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `wss://r${index}.example`);
const query = (count: number): string =>
  relays(count)
    .map((url) => `relay=${url}`)
    .join('&');

function messageOf(text: string): string {
  try {
    parseBunkerUri(text);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the URI was accepted');
}

describe('parseBunkerUri', () => {
  it('reads key, relays and secret', () => {
    expect(
      parseBunkerUri(
        ` bunker://${pubkey}?relay=wss%3A%2F%2Fa.example%2Fpath&relay=ws://b.example:7000&secret=s%26c \n`,
      ),
    ).toEqual({
      bunkerPubkey: pubkey,
      relays: ['wss://a.example/path', 'ws://b.example:7000'],
      secret: 's&c',
    });
  });

  it.each([
    ['without a secret', `bunker://${pubkey}?${relay}`],
    ['with an empty secret', `bunker://${pubkey}?${relay}&secret=`],
    ['with the key in upper case', `BUNKER://${pubkey.toUpperCase()}?${relay}`],
    ['with an npub', `bunker://${npub(pubkey)}?${relay}`],
    ['with parameters of a later NIP', `bunker://${pubkey}?${relay}&colour=red`],
    ['without slashes', `bunker:${pubkey}?${relay}`],
    ['with a relay twice, in two spellings', `bunker://${pubkey}?${relay}&relay=wss://RELAY.example/`],
  ])('accepts one %s', (_, uri) => {
    expect(parseBunkerUri(uri)).toEqual({ bunkerPubkey: pubkey, relays: ['wss://relay.example'] });
  });

  it('takes as many relays as connections are held', () => {
    expect(parseBunkerUri(`bunker://${pubkey}?${query(5)}`).relays).toEqual(relays(5));
  });

  it.each<[string, string, RegExp]>([
    ['no URI', 'canary', /^not a URI; expected bunker:/],
    ['a NIP-05 name, which would be looked up over HTTP', 'canary@example.com', /^not a URI/],
    ['another scheme', `nostrconnect://${pubkey}?${relay}&secret=canary`, /must begin with bunker:/],
    ['a web address', `https://example.com/?${relay}&secret=canary`, /must begin with bunker:/],
    ['a short key', `bunker://${pubkey.slice(1)}?${relay}&secret=canary`, /public key is not 64 hex/],
    ['a key off the curve', `bunker://${'f'.repeat(64)}?${relay}&secret=canary`, /public key is not 64 hex/],
    ['no relay', `bunker://${pubkey}?secret=canary`, /names no relay/],
    ['a relay over http', `bunker://${pubkey}?relay=https://canary.example`, /not a ws:\/\/ or wss:/],
    ['one good relay and one bad', `bunker://${pubkey}?${relay}&relay=canary`, /not a ws:\/\/ or wss:/],
    ['a relay with a password', `bunker://${pubkey}?relay=wss://u:canary@a.example`, /not a ws:\/\/ or wss:/],
    ['more relays than connections are held', `bunker://${pubkey}?${query(6)}&secret=canary`, /more than 5/],
  ])('refuses %s, without repeating it', (_, uri, message) => {
    expect(messageOf(uri)).toMatch(message);
    expect(messageOf(uri)).not.toMatch(/canary/);
  });

  it('throws nothing but an Error with a sentence, whatever was pasted', () => {
    const tail = fc.oneof(
      fc.string(),
      fc.webUrl(),
      fc.webQueryParameters().map((query) => `${pubkey}?${query}`),
    );
    fc.assert(
      fc.property(fc.constantFrom('', 'bunker:', 'bunker://'), tail, (scheme, text) => {
        expect(messageOf(scheme + text)).toMatch(/URI/);
      }),
    );
  });
});

describe('parseRelayUrl', () => {
  it.each([
    ['WSS://Relay.Example/', 'wss://relay.example'],
    ['wss://relay.example:443', 'wss://relay.example'],
    ['ws://relay.example:7777', 'ws://relay.example:7777'],
    ['wss://relay.example/Path/', 'wss://relay.example/Path/'],
    ['wss://relay.example/?a=b', 'wss://relay.example/?a=b'],
    ['wss://relay.example/#part', 'wss://relay.example'],
  ])('spells %s as %s', (text, spelt) => {
    expect(parseRelayUrl(text)).toBe(spelt);
  });

  it.each(['relay.example', 'https://relay.example', 'wss://u@relay.example', 'wss://', 'wss://a:99999'])(
    'refuses %s',
    (text) => {
      expect(parseRelayUrl(text)).toBeUndefined();
    },
  );
});
