import { promises as dns } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** An address of a host name. */
export interface ResolvedAddress {
  address: string;
  family: number;
}

/**
 * Where a relay may be that a stranger named. This process runs inside somebody's network: a stranger must
 * not reach that network through it.
 */
export interface AddressRules {
  /** Addresses outside the public internet are allowed too, and `ws://` to them. */
  allowPrivate: boolean;
  /** This machine's own addresses are allowed. Default: true. */
  allowLoopback?: boolean;
  /** Resolves a host name. Default: the system's resolver. */
  resolve?(hostname: string): Promise<readonly ResolvedAddress[]>;
}

/**
 * The rules for one relay of a bunker. A relay that the pairing named may be in this network, if the rules
 * allow that. A relay that only the bunker names may not.
 */
export function rulesFor(url: string, namedRelays: readonly string[], rules: AddressRules): AddressRules {
  const isNamedHere = namedRelays.some((named) => new URL(named).hostname === new URL(url).hostname);
  return isNamedHere ? rules : { ...rules, allowPrivate: false, allowLoopback: false };
}

/**
 * The rules forbid a relay. Everybody may see the message: it holds the host that was named, and no resolved
 * address.
 */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
}

type AddressKind = 'public' | 'loopback' | 'private';

/** The special-purpose addresses that IANA does not call globally reachable. */
const PRIVATE_IPV4 = blockList('ipv4', [
  '0.0.0.0/8', // "this host": Linux connects it to loopback
  '10.0.0.0/8',
  '100.64.0.0/10', // behind a provider's NAT; also Tailscale
  '127.0.0.0/8', // loopback, which is checked before this list; here for its embedded forms
  '169.254.0.0/16', // link-local; clouds keep their credentials at 169.254.169.254
  '172.16.0.0/12',
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // 6to4 relays
  '192.168.0.0/16',
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
]);

/** All addresses that are allocated as public. Others (fc00::/7, fe80::/10, ff00::/8, …) are not. */
const GLOBAL_IPV6 = blockList('ipv6', ['2000::/3']);
const PRIVATE_IPV6 = blockList('ipv6', [
  '2001::/23', // protocol assignments, among them Teredo, which holds an IPv4 address
  '2001:db8::/32', // documentation
  '3fff::/20', // documentation
]);

/** IPv6 prefixes that contain an IPv4 address: the leading groups of each. */
const IPV4_MAPPED = [0, 0, 0, 0, 0, 0xffff];
const NAT64 = [0x64, 0xff9b, 0, 0, 0, 0];
const SIX_TO_FOUR = [0x2002];

function blockList(family: 'ipv4' | 'ipv6', ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix] = range.split('/');
    list.addSubnet(network, Number(prefix), family);
  }
  return list;
}

/**
 * The kind of an IP address, in any spelling that sockets take. Anything else is private: nothing connects to
 * it.
 */
export function kindOfAddress(spelled: string): AddressKind {
  // The zone (fe80::1%eth0) names the interface, not the target.
  const address = spelled.split('%')[0] ?? '';
  switch (isIP(address)) {
    case 4:
      return kindOfIpv4(address);
    case 6:
      return kindOfIpv6(address);
    default:
      return 'private';
  }
}

function kindOfIpv4(address: string): AddressKind {
  if (address.startsWith('127.')) return 'loopback';
  return PRIVATE_IPV4.check(address, 'ipv4') ? 'private' : 'public';
}

function kindOfIpv6(address: string): AddressKind {
  const groups = groupsOf(address);
  const begins = (prefix: readonly number[]): boolean =>
    prefix.every((group, index) => groups[index] === group);
  const ipv4At = (index: number): string =>
    [groups[index] ?? 0, groups[index + 1] ?? 0].flatMap((group) => [group >> 8, group & 0xff]).join('.');

  if (begins([0, 0, 0, 0, 0, 0, 0, 1])) return 'loopback';
  // The system connects to the IPv4 address inside, so loopback is loopback here too.
  if (begins(IPV4_MAPPED)) return kindOfIpv4(ipv4At(6));
  // A gateway elsewhere translates these. A host with IPv6 only reaches every IPv4 relay by NAT64.
  if (begins(NAT64)) return PRIVATE_IPV4.check(ipv4At(6), 'ipv4') ? 'private' : 'public';
  if (begins(SIX_TO_FOUR)) return PRIVATE_IPV4.check(ipv4At(1), 'ipv4') ? 'private' : 'public';
  return GLOBAL_IPV6.check(address, 'ipv6') && !PRIVATE_IPV6.check(address, 'ipv6') ? 'public' : 'private';
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // The URL parser writes a dotted end as two groups.
  const [head = '', tail] = new URL(`ws://[${address}]`).hostname.slice(1, -1).split('::');
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => parseInt(group, 16));
  const before = read(head);
  const after = read(tail ?? '');
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

/**
 * Refuses a relay by its URL: for an address in it, or for `ws://` to a host that is not this machine.
 * Sockets do not resolve addresses, so this is the only check of them.
 *
 * @throws AddressRefused
 */
export function requireAllowedUrl(url: string, rules: AddressRules): void {
  const { protocol, hostname } = new URL(url);
  // The URL parser has normalised every spelling (decimal, octal, hex, short).
  const host = hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) {
    const problem = problemWith(kindOfAddress(host), protocol, rules);
    if (problem !== undefined) throw new AddressRefused(`${host} is ${problem}`);
  } else if (isLocalhost(host) && rules.allowLoopback === false) {
    throw new AddressRefused(`${host} is ${OWN}`);
  } else if (protocol !== 'wss:' && !rules.allowPrivate && !isLocalhost(host)) {
    // The operator of the DNS server could make such a name lead to this machine.
    throw new AddressRefused(`${host} is ${PLAIN}`);
  }
}

/** The same as a boolean. */
export function isAllowedUrl(url: string, rules: AddressRules): boolean {
  try {
    requireAllowedUrl(url, rules);
    return true;
  } catch {
    return false;
  }
}

const PRIVATE = 'a private address, which bunker relays may not have (REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS)';
const OWN = 'an address of this machine, which nobody here has named';
const PLAIN =
  'not this machine (localhost, 127.0.0.1), and bunker relays elsewhere are spoken to over wss:// only';

function problemWith(kind: AddressKind, protocol: string, rules: AddressRules): string | undefined {
  if (kind === 'loopback' && rules.allowLoopback === false) return OWN;
  if (kind === 'private') return rules.allowPrivate ? undefined : PRIVATE;
  return kind === 'public' && protocol !== 'wss:' ? PLAIN : undefined;
}

function isLocalhost(host: string): boolean {
  return /(^|\.)localhost\.?$/.test(host);
}

/**
 * A `lookup` for the sockets of a relay. It resolves the name and gives only the allowed addresses. The
 * socket connects to these, so a second DNS answer (DNS rebinding) cannot come between check and connection.
 */
export function lookupWithin(rules: AddressRules, url: string): LookupFunction {
  const { protocol } = new URL(url);
  const resolve = rules.resolve ?? ((hostname: string) => dns.lookup(hostname, { all: true }));
  const allowedAddresses = async (hostname: string): Promise<ResolvedAddress[]> => {
    const resolved = await resolve(hostname);
    if (resolved.length === 0) throw Object.assign(new Error('no address'), { code: 'ENOTFOUND' });
    let problem: string | undefined;
    const allowed = resolved.filter(({ address }) => {
      const found = problemWith(kindOfAddress(address), protocol, rules);
      problem ??= found;
      return found === undefined;
    });
    if (allowed.length > 0) return allowed;
    const verb = problem === PRIVATE ? 'resolves to' : 'is';
    throw new AddressRefused(`${hostname} ${verb} ${problem}`);
  };
  return (hostname, { all }, callback) => {
    allowedAddresses(hostname).then(
      (allowed) => {
        // Node asks for all addresses and tries them in turn, unless that is switched off for the process.
        if (all) callback(null, allowed as ResolvedAddress[]);
        else callback(null, allowed[0]?.address ?? '', allowed[0]?.family);
      },
      (error: NodeJS.ErrnoException) => callback(error, '', 0),
    );
  };
}
