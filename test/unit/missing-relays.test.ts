import { missingRelays } from '../../nostr/relays/missing-relays';

const EXTENSION = ['wss://Relay.Damus.io/', 'wss://nos.lol', 'wss://relay.example/inbox?token=canary'];
const GATEWAY = 'nostrclient+wss://lnbits.example/nostrclient/api/v1/canary-ws-id';

test.each<[string, string[], string[], string[]]>([
  [
    'all of them, in one spelling each',
    EXTENSION,
    [],
    ['wss://relay.damus.io', 'wss://nos.lol', EXTENSION[2] ?? ''],
  ],
  [
    'none that is spelled in another way',
    EXTENSION.slice(0, 2),
    ['wss://relay.damus.io', 'WSS://NOS.LOL/'],
    [],
  ],
  ['none that is configured besides', ['wss://nos.lol'], ['wss://nos.lol', 'wss://more.example'], []],
  ['the one that is not configured', EXTENSION.slice(0, 2), ['wss://nos.lol'], ['wss://relay.damus.io']],
  [
    'one that differs by its path, its query or its scheme',
    ['wss://a.example/x', 'ws://b.example'],
    ['wss://a.example', 'wss://b.example'],
    ['wss://a.example/x', 'ws://b.example'],
  ],
  ['one that is there twice once', ['wss://nos.lol', 'wss://nos.lol/'], [], ['wss://nos.lol']],
  ['nothing that is no websocket', ['', 'nos.lol', 'https://nos.lol', 'wss://user:canary@nos.lol'], [], []],
  ['nothing where the extension has none', [], ['wss://nos.lol'], []],
  ['nothing where all goes through the gateway', EXTENSION, [GATEWAY], []],
  ['nothing where the gateway is one of several', EXTENSION, ['wss://other.example', GATEWAY], []],
])('names %s', (_, extension, configured, missing) => {
  expect(missingRelays(extension, configured)).toEqual(missing);
});
