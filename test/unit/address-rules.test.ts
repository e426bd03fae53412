import type { LookupAddress } from 'node:dns';
import fc from 'fast-check';
import {
  AddressRefused,
  type AddressRules,
  kindOfAddress,
  lookupWithin,
  requireAllowedUrl,
} from '../../nostr/relays/address-rules';
import { HandshakeRefused } from '../../nostr/relays/handshake';
import { plainNetworkError } from '../../nostr/relays/plain-network-error';

const STRICT: AddressRules = { allowPrivate: false };
const OPEN: AddressRules = { allowPrivate: true };

function refusal(url: string, rules = STRICT): string | undefined {
  try {
    requireAllowedUrl(url, rules);
    return undefined;
  } catch (error) {
    if (error instanceof AddressRefused) return error.message;
    throw error;
  }
}

/** What a socket would get to connect to. */
function lookup(
  answer: readonly string[],
  { url = 'wss://relay.example', rules = STRICT, all = true } = {},
): Promise<string[]> {
  const resolve = (): Promise<LookupAddress[]> =>
    Promise.resolve(answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
  return new Promise((done, failed) =>
    lookupWithin({ ...rules, resolve }, url)(new URL(url).hostname, { all }, (error, addresses) => {
      if (error) failed(error);
      else done(Array.isArray(addresses) ? addresses.map(({ address }) => address) : [addresses]);
    }),
  );
}

/** In the spelling of the standards; the first and the last address of each stand in the table below. */
const FORBIDDEN_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];
const FORBIDDEN_IPV6 = [
  '::/96',
  '64:ff9b:1::/48',
  '100::/64',
  '2001::/32',
  '2001:db8::/32',
  '3fff::/20',
  'fc00::/7',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
];

const ipv4ToNumber = (text: string): number =>
  text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
const octetsOf = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const dotted = (value: number): string => octetsOf(value).join('.');
const hexPair = (value: number): string => `${(value >>> 16).toString(16)}:${(value & 0xffff).toString(16)}`;

/** Any address of any of the ranges. */
const ipv4In = (ranges: readonly string[]): fc.Arbitrary<number> =>
  fc.constantFrom(...ranges).chain((range) => {
    const [network = '', prefix] = range.split('/');
    const first = ipv4ToNumber(network);
    return fc.integer({ min: first, max: first + 2 ** (32 - Number(prefix)) - 1 });
  });

/** How URLs may write an IPv4 address. */
const SPELLINGS: readonly ((value: number) => string)[] = [
  dotted,
  (value) => `${dotted(value)}.`,
  (value) => String(value),
  (value) => `0x${value.toString(16)}`,
  (value) => `0${value.toString(8)}`,
  (value) =>
    octetsOf(value)
      .map((octet) => `0x${octet.toString(16)}`)
      .join('.'),
  (value) =>
    octetsOf(value)
      .map((octet) => `0${octet.toString(8).padStart(3, '0')}`)
      .join('.'),
  (value) => `${value >>> 24}.${value & 0xffffff}`,
  (value) => `0x${(value >>> 24).toString(16)}.${(value >>> 16) & 255}.${value & 0xffff}`,
  (value) => dotted(value).replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
  (value) => dotted(value).replace(/\./g, '%2e'),
  (value) => `[::ffff:${dotted(value)}]`,
  (value) => `[0:0:0:0:0:FFFF:${hexPair(value)}]`,
  (value) => `[64:ff9b::${hexPair(value)}]`,
  (value) => `[2002:${hexPair(value)}::1]`,
];

describe('an address', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['9.255.255.255', 'public'],
    ['10.0.0.0', 'private'],
    ['10.255.255.255', 'private'],
    ['11.0.0.0', 'public'],
    ['100.63.255.255', 'public'],
    ['100.64.0.1', 'private'],
    ['100.127.255.255', 'private'],
    ['100.128.0.0', 'public'],
    ['126.255.255.255', 'public'],
    ['127.0.0.1', 'loopback'],
    ['127.255.255.254', 'loopback'],
    ['128.0.0.0', 'public'],
    ['169.254.169.254', 'private'],
    ['172.15.255.255', 'public'],
    ['172.16.0.0', 'private'],
    ['172.31.255.255', 'private'],
    ['172.32.0.0', 'public'],
    ['192.0.2.1', 'private'],
    ['192.168.1.1', 'private'],
    ['192.169.0.0', 'public'],
    ['198.20.0.0', 'public'],
    ['223.255.255.255', 'public'],
    ['224.0.0.1', 'private'],
    ['255.255.255.255', 'private'],
    ['0.0.0.0', 'private'],
    ['::', 'private'],
    ['::1', 'loopback'],
    ['0:0:0:0:0:0:0:1', 'loopback'],
    ['::2', 'private'],
    ['::127.0.0.1', 'private'],
    ['::ffff:10.0.0.1', 'private'],
    ['::FFFF:A00:1', 'private'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:8.8.8.8', 'public'],
    ['::ffff:0:10.0.0.1', 'private'],
    ['64:ff9b::8.8.8.8', 'public'],
    ['64:ff9b::169.254.169.254', 'private'],
    // Not this machine: whatever machine the gateway takes for itself.
    ['64:ff9b::127.0.0.1', 'private'],
    ['64:ff9b:1::8.8.8.8', 'private'],
    ['2002:a00:1::', 'private'],
    ['2002:7f00:1::1', 'private'],
    ['2002:808:808::1', 'public'],
    ['2001::1', 'private'],
    ['2001:db8::1', 'private'],
    ['2001:4860:4860::8888', 'public'],
    ['2606:4700:4700::1111', 'public'],
    ['3fff::1', 'private'],
    ['3fff:1000::1', 'public'],
    ['4000::1', 'private'],
    ['fc00::1', 'private'],
    ['fd12:3456::1', 'private'],
    ['fe80::1', 'private'],
    ['fe80::1%eth0', 'private'],
    ['febf::1', 'private'],
    ['ff02::1', 'private'],
    // Nothing that a socket should be given.
    ['', 'private'],
    ['relay.example', 'private'],
    ['2130706433', 'private'],
  ])('%s is %s', (address, kind) => {
    expect(kindOfAddress(address)).toBe(kind);
  });

  it('in a forbidden range is refused in a URL, whatever its spelling', () => {
    fc.assert(
      fc.property(ipv4In(FORBIDDEN_IPV4), fc.constantFrom(...SPELLINGS), (value, spell) => {
        for (const scheme of ['ws', 'wss']) {
          expect(refusal(`${scheme}://${spell(value)}:7000/`)).toMatch(/ is a private address, which /);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('of IPv6 in a forbidden range is refused, in a URL and as the answer of a name server', async () => {
    const addresses = fc.constantFrom(...FORBIDDEN_IPV6).chain((range) => {
      const [network = '', prefix] = range.split('/');
      const free = BigInt(128 - Number(prefix));
      const first = new URL(`ws://[${network}]`).hostname.slice(1, -1).split('::')[0] ?? '';
      const begin = first === '' ? [] : first.split(':');
      const base = BigInt(
        `0x${begin
          .map((group) => group.padStart(4, '0'))
          .join('')
          .padEnd(32, '0')}`,
      );
      return fc.bigInt({ min: 0n, max: (1n << free) - 1n }).map((offset) => base + offset);
    });
    await fc.assert(
      fc.asyncProperty(addresses, fc.boolean(), async (value, upper) => {
        fc.pre(value !== 1n);
        const hex = value.toString(16).padStart(32, '0');
        const long = (upper ? hex.toUpperCase() : hex).replace(/.{4}(?=.)/g, '$&:');
        for (const spelled of [long, new URL(`ws://[${long}]`).hostname.slice(1, -1)]) {
          expect(kindOfAddress(spelled)).toBe('private');
          expect(refusal(`wss://[${spelled}]/`)).toContain('is a private address');
          await expect(lookup([spelled])).rejects.toBeInstanceOf(AddressRefused);
        }
      }),
    );
  });

  it('outside of them is public, and may be spoken to over wss:// only', () => {
    fc.assert(
      fc.property(ipv4In(['0.0.0.0/0']), fc.constantFrom(...SPELLINGS), (value, spell) => {
        const inside = [...FORBIDDEN_IPV4, '127.0.0.0/8'].some((range) => {
          const [network = '', prefix] = range.split('/');
          const first = ipv4ToNumber(network);
          return value >= first && value < first + 2 ** (32 - Number(prefix));
        });
        fc.pre(!inside);
        expect(refusal(`wss://${spell(value)}`)).toBeUndefined();
        for (const rules of [STRICT, OPEN]) {
          expect(refusal(`ws://${spell(value)}`, rules)).toMatch(/over wss:\/\/ only$/);
        }
      }),
    );
  });
});

describe('a URL', () => {
  it.each([
    'ws://127.0.0.1:7000',
    'ws://2130706433',
    'ws://0x7f.1',
    'ws://0177.0.0.1',
    'ws://127.1',
    'ws://[::1]:7000',
    'ws://[::ffff:127.0.0.1]',
    'ws://localhost:7000',
    'ws://LOCALHOST.',
    'ws://relay.localhost',
    'wss://127.0.0.1',
    'wss://relay.example',
    // Who it is shows when it is resolved.
    'wss://router.lan',
  ])('%s is allowed', (url) => {
    expect(refusal(url)).toBeUndefined();
    expect(refusal(url, OPEN)).toBeUndefined();
  });

  it.each([
    ['wss://[::ffff:10.0.0.1]', '::ffff:a00:1'],
    ['ws://169.254.169.254/latest', '169.254.169.254'],
    ['wss://0', '0.0.0.0'],
    ['wss://[::]', '::'],
    ['wss://0xa9fea9fe', '169.254.169.254'],
  ])('%s is refused by its address, unless that is allowed', (url, shown) => {
    expect(refusal(url)).toBe(
      `${shown} is a private address, which bunker relays may not have (REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS)`,
    );
    expect(refusal(url, OPEN)).toBeUndefined();
  });

  it.each(['ws://relay.example', 'ws://notlocalhost', 'ws://localhost.example', 'ws://127.0.0.1.example'])(
    '%s is refused for its scheme; with private relays, it shows when the name is resolved',
    (url) => {
      expect(refusal(url)).toMatch(/is not this machine \(localhost, 127\.0\.0\.1\), .* over wss:\/\/ only$/);
      expect(refusal(url, OPEN)).toBeUndefined();
    },
  );
});

describe('a name', () => {
  it('that stands for public and private addresses is reached at the public ones', async () => {
    const answer = ['10.0.0.1', '8.8.8.8', 'fe80::1%eth0', '2606:4700::1', '169.254.169.254'];
    expect(await lookup(answer)).toEqual(['8.8.8.8', '2606:4700::1']);
    expect(await lookup(answer, { all: false })).toEqual(['8.8.8.8']);
    expect(await lookup(answer, { rules: OPEN })).toEqual(answer);
  });

  it('that stands for private addresses only is refused, without a word of where it leads', async () => {
    for (const all of [true, false]) {
      await expect(lookup(['10.0.0.1', '::ffff:a00:1'], { all })).rejects.toThrow(
        new AddressRefused(
          'relay.example resolves to a private address, which bunker relays may not have (REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS)',
        ),
      );
    }
  });

  it('is spoken to over ws:// on this machine only, or at a private address where these are allowed', async () => {
    const url = 'ws://relay.localhost';
    expect(await lookup(['127.0.0.1', '::1'], { url })).toEqual(['127.0.0.1', '::1']);
    expect(await lookup(['8.8.8.8', '127.0.0.1'], { url })).toEqual(['127.0.0.1']);
    await expect(lookup(['8.8.8.8'], { url })).rejects.toThrow(/^relay\.localhost is not this machine/);
    expect(await lookup(['10.0.0.1', '8.8.8.8'], { url, rules: OPEN })).toEqual(['10.0.0.1']);
    await expect(lookup(['8.8.8.8'], { url, rules: OPEN })).rejects.toThrow(/over wss:\/\/ only$/);
  });

  it('without an address is a name that is not found', async () => {
    const error: unknown = await lookup([]).catch((thrown: unknown) => thrown);
    expect(plainNetworkError(error)).toBe('name not found');
  });
});

describe('plainNetworkError', () => {
  const withCode = (code: string): Error => Object.assign(new Error(`canary ${code} 10.0.0.1:22`), { code });

  it.each([
    [withCode('ECONNREFUSED'), 'refused'],
    [withCode('ENOTFOUND'), 'name not found'],
    [withCode('EAI_AGAIN'), 'name not found'],
    [withCode('ETIMEDOUT'), 'timed out'],
    [new Error('Opening handshake has timed out'), 'timed out'],
    [new Error('WebSocket was closed before the connection was established'), 'timed out'],
    [withCode('ECONNRESET'), 'no websocket there'],
    [withCode('HPE_INVALID_CONSTANT'), 'no websocket there'],
    [new HandshakeRefused(302), 'no websocket there'],
    [new HandshakeRefused(500), 'no websocket there'],
    [new HandshakeRefused(403), 'refused with HTTP 403'],
    [new HandshakeRefused(429), 'refused with HTTP 429'],
    [new Error('Invalid Sec-WebSocket-Accept header'), 'no websocket there'],
    [withCode('EPROTO'), 'TLS failed'],
    [withCode('DEPTH_ZERO_SELF_SIGNED_CERT'), 'TLS failed'],
    [withCode('ERR_TLS_CERT_ALTNAME_INVALID'), 'TLS failed'],
    [withCode('CERT_HAS_EXPIRED'), 'TLS failed'],
    [withCode('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), 'TLS failed'],
    [
      Object.assign(new Error('Client network socket disconnected before secure TLS connection'), {
        code: 'ECONNRESET',
      }),
      'TLS failed',
    ],
    [withCode('EHOSTUNREACH'), 'not reachable'],
    [new Error('canary 10.0.0.1'), 'not reachable'],
    // Several addresses: the error of all has no text, and of another realm no class.
    [Object.assign(new AggregateError([withCode('ECONNREFUSED')], ''), { code: undefined }), 'refused'],
    [new Error('canary', { cause: { errors: [withCode('ECONNREFUSED')] } }), 'refused'],
    [new Error('canary', { cause: new AddressRefused('the rule') }), 'the rule'],
    ['canary', 'not reachable'],
    [null, 'not reachable'],
    [undefined, 'not reachable'],
  ])('of %s is: %s', (error, words) => {
    expect(plainNetworkError(error)).toBe(words);
  });

  it('ends with an error that is its own cause', () => {
    const error: Error & { cause?: unknown } = new Error('canary');
    error.cause = error;
    expect(plainNetworkError(error)).toBe('not reachable');
  });
});
