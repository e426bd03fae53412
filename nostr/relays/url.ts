/**
 * A relay URL in one spelling (lower-case host, no trailing slash on a bare host), or undefined when it is
 * not ws:// or wss://.
 */
export function parseRelayUrl(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return undefined;
  }
  if ((url.protocol !== 'ws:' && url.protocol !== 'wss:') || url.username !== '' || url.password !== '')
    return undefined;
  url.hash = '';
  return url.pathname === '/' && url.search === '' ? `${url.protocol}//${url.host}` : url.toString();
}

/**
 * What stands before the websocket's URL when it leads to LNbits' nostrclient:
 * nostrclient+wss://host/nostrclient/api/v1/<ws_id>
 */
const GATEWAY_PREFIX = 'nostrclient+';

/**
 * True for a gateway, to which documents are published. It is not among what `parseRelayUrl` takes: a bunker
 * cannot be talked to through one, and a bunker URI comes from a user.
 */
export function isGateway(url: string): boolean {
  return url.startsWith(GATEWAY_PREFIX);
}

/** The websocket to open for a relay or a gateway. */
export function websocketUrl(url: string): string {
  return isGateway(url) ? url.slice(GATEWAY_PREFIX.length) : url;
}

/**
 * A relay as it may be shown and stored: without its path and query, which are a bearer secret with gateways
 * such as nostrclient.
 */
export function shownRelay(url: string): string {
  const websocket = websocketUrl(url);
  if (!URL.canParse(websocket)) return 'a relay whose URL is not valid';
  const { protocol, host, pathname, search } = new URL(websocket);
  return `${isGateway(url) ? GATEWAY_PREFIX : ''}${protocol}//${host}${pathname === '/' && search === '' ? '' : '/…'}`;
}

/** The same for a relay among others: two that differ only in what is not shown are numbered. */
export function shownAmong(url: string, relays: readonly string[]): string {
  const same = relays.filter((other) => shownRelay(other) === shownRelay(url));
  return same.length <= 1 ? shownRelay(url) : `${shownRelay(url)} (${same.indexOf(url) + 1})`;
}

/** Shorter ones are names such as `/nostr`, and would be found in the middle of words. */
const LEAST_SECRET_LENGTH = 8;

/**
 * What of a relay's URL is not shown, part by part, as the relay knows it and may repeat it in its words. The
 * longest first.
 */
export function secretsIn(url: string): string[] {
  if (!URL.canParse(url)) return [];
  const { pathname, searchParams, search } = new URL(url);
  const encoded = [...pathname.split('/'), ...search.slice(1).split(/[&=]/)];
  return [...new Set([...encoded, ...encoded.map(decoded), ...searchParams.values()])]
    .filter(({ length }) => length >= LEAST_SECRET_LENGTH)
    .sort((a, b) => b.length - a.length);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
