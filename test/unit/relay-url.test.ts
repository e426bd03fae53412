import { loadConfiguration } from '../../configuration/load';
import { plainTextWithout } from '../../nostr/relays/plain-text';
import { isGateway, parseRelayUrl, secretsIn, shownRelay, websocketUrl } from '../../nostr/relays/url';

const GATEWAY = 'nostrclient+wss://lnbits.example/nostrclient/api/v1/canary-ws-id';

describe('a relay as it is shown', () => {
  it.each([
    ['wss://relay.example', 'wss://relay.example'],
    ['ws://Relay.example:7777/', 'ws://relay.example:7777'],
    ['wss://relay.example/canary', 'wss://relay.example/…'],
    ['wss://relay.example?token=canary', 'wss://relay.example/…'],
    [GATEWAY, 'nostrclient+wss://lnbits.example/…'],
    [
      GATEWAY.replace('wss', 'ws').replace('.example', '.Example:5000'),
      'nostrclient+ws://lnbits.example:5000/…',
    ],
    ['nostrclient+wss://lnbits.example:99999/canary', 'a relay whose URL is not valid'],
    ['canary', 'a relay whose URL is not valid'],
  ])('%s is %s', (url, shown) => {
    expect(shownRelay(url)).toBe(shown);
  });
});

describe('a gateway', () => {
  it('is reached through the websocket behind its scheme', () => {
    expect([isGateway(GATEWAY), websocketUrl(GATEWAY)]).toEqual([
      true,
      'wss://lnbits.example/nostrclient/api/v1/canary-ws-id',
    ]);
    expect([isGateway('wss://relay.example'), websocketUrl('wss://relay.example')]).toEqual([
      false,
      'wss://relay.example',
    ]);
  });

  it('is no relay for a bunker to be talked to through', () => {
    expect(parseRelayUrl(GATEWAY)).toBeUndefined();
  });
});

describe('REPUBLISH_RELAYS', () => {
  const load = (...relays: string[]): readonly string[] =>
    loadConfiguration({ env: { REPUBLISH_RELAYS: relays.join() }, directory: '/nowhere' }).relays;

  it.each([GATEWAY, GATEWAY.replace('wss:', 'ws:'), GATEWAY.replace('.example', '.example:5000/lnbits')])(
    'may name %s',
    (gateway) => {
      expect(load('wss://relay.example', gateway)).toEqual(['wss://relay.example', gateway]);
    },
  );

  it('may name two gateways on one host', () => {
    expect(load(GATEWAY, `${GATEWAY}2`)).toHaveLength(2);
  });

  const expected =
    /REPUBLISH_RELAYS \(relays\.0\): must be nostrclient\+wss:\/\/<host>\/nostrclient\/api\/v1\/<ws_id>$/;
  it.each([
    ['nostrclient+wss://lnbits.example', expected],
    ['nostrclient+wss://lnbits.example/canary-ws-id', expected],
    ['nostrclient+wss://lnbits.example/nostrclient/api/v1/', expected],
    [`${GATEWAY}/`, expected],
    [`${GATEWAY}?canary`, expected],
    [GATEWAY.replace('wss:', 'https:'), /must be a ws:\/\/ or wss:\/\/ URL$/],
    [GATEWAY.replace('nostrclient+', 'nostr+'), /must be a ws:\/\/ or wss:\/\/ URL$/],
    [GATEWAY.replace('.example', '.example:99999'), /must be a ws:\/\/ or wss:\/\/ URL$/],
    [GATEWAY.replace('//', '//user:canary@'), /must not hold a user name or password$/],
    [GATEWAY.replace('nostrclient+', ''), /is a nostrclient gateway: write nostrclient\+wss:\/\//],
  ])('is refused with %s, and the message does not repeat it', (relay, message) => {
    expect(() => load(relay)).toThrow(message);
    expect(() => load(relay)).not.toThrow(/canary/);
  });

  it.each([
    [GATEWAY, GATEWAY.replace('lnbits', 'LNbits')],
    [GATEWAY, GATEWAY.replace('.example', '.example:443')],
  ])('is refused with one gateway twice (%s, %s)', (one, other) => {
    expect(() => load(one, other)).toThrow(/names a relay twice/);
  });
});

describe('the words of a relay that knows the secrets of its URL', () => {
  it.each([
    [
      'wss://relay.example/members/canary-7f3a',
      'no such path: /members/canary-7f3a',
      'no such path: /members/…',
    ],
    ['wss://relay.example?token=canary%207f3a', 'canary 7f3a (canary%207f3a) is over', '… (…) is over'],
    ['wss://relay.example/nostr', 'blocked: nostr is closed', 'blocked: nostr is closed'],
    ['wss://relay.example/canary-7f3a', `${'x'.repeat(195)}canary-7f3a`, `${'x'.repeat(195)}…`],
  ])('of %s are repeated without', (url, words, shown) => {
    expect(plainTextWithout(secretsIn(url), words)).toBe(shown);
  });
});
