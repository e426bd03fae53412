import { parsePublicKey } from '../keys';
import { parseRelayUrl } from '../relays/url';

/** The parts of a `bunker://` URI (NIP-46). */
export interface BunkerAddress {
  /** The bunker's own key, not the user's. */
  bunkerPubkey: string;
  relays: string[];
  /** Works once; never stored. */
  secret?: string;
}

/** Most relays of an answer that are read. */
const MAX_NAMED = 50;

/** Most relays of one bunker: each is a connection held open. */
export const MAX_RELAYS = 5;

/**
 * Reads `bunker://<pubkey>?relay=...&secret=...`. Nothing else: a NIP-05 name would need a lookup over HTTP.
 *
 * @throws Error that says what is wrong. It never repeats the URI, which holds a secret.
 */
export function parseBunkerUri(text: string): BunkerAddress {
  let uri: URL;
  try {
    uri = new URL(text.trim());
  } catch {
    throw new Error('not a URI; expected bunker://<64 hex characters>?relay=wss://...&secret=...');
  }
  if (uri.protocol !== 'bunker:') throw new Error('not a bunker URI: it must begin with bunker://');
  const bunkerPubkey = parsePublicKey(uri.hostname || uri.pathname.replace(/^\/+/, ''));
  if (bunkerPubkey === undefined)
    throw new Error("the bunker URI's public key is not 64 hex characters of a valid key");

  const named = uri.searchParams.getAll('relay');
  const relays = [...new Set(named.map(parseRelayUrl))];
  if (named.length === 0)
    throw new Error('the bunker URI names no relay: it needs at least one relay=wss://...');
  if (relays.length > MAX_RELAYS) throw new Error(`the bunker URI names more than ${MAX_RELAYS} relays`);
  if (!relays.every((relay) => relay !== undefined))
    throw new Error('a relay of the bunker URI is not a ws:// or wss:// URL');
  const secret = uri.searchParams.get('secret');
  return { bunkerPubkey, relays, ...(secret ? { secret } : {}) };
}

/**
 * Reads a bunker's answer to `switch_relays` (NIP-46): a JSON list of relay URLs, or null when nothing
 * changes. Relays that may not be reached are left out. Undefined: nothing is left to move to.
 */
export function parseRelayList(answer: string, isAllowed: (url: string) => boolean): string[] | undefined {
  let list: unknown;
  try {
    list = JSON.parse(answer);
  } catch {
    return undefined;
  }
  if (!Array.isArray(list)) return undefined;
  const relays = list
    .slice(0, MAX_NAMED)
    .flatMap((entry) => (typeof entry === 'string' && parseRelayUrl(entry)) || []);
  const allowed = [...new Set(relays)].filter(isAllowed);
  return allowed.length === 0 ? undefined : allowed.slice(0, MAX_RELAYS);
}
