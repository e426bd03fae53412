import { parsedUrl } from '../../rules/url';
/**
 * A relay URL, normalised (lower-case host, no trailing slash on a bare host). Undefined when it is not ws://
 * or wss://.
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
 * The prefix of a URL that leads to LNbits' nostrclient: nostrclient+wss://host/nostrclient/api/v1/<ws_id>
 */
const GATEWAY_PREFIX = 'nostrclient+';

/**
 * Whether it is a gateway. Documents can be sent to one. `parseRelayUrl` does not take it: a bunker cannot be
 * reached through a gateway, and a bunker URI comes from a stranger.
 */
export function isGateway(url: string): boolean {
  return url.startsWith(GATEWAY_PREFIX);
}

/** The websocket to open for a relay or a gateway. */
export function websocketUrl(url: string): string {
  return isGateway(url) ? url.slice(GATEWAY_PREFIX.length) : url;
}

/**
 * A relay URL as it may be shown and stored: without path and query, which are a bearer secret for gateways
 * such as nostrclient.
 */
export function shownRelay(url: string): string {
  const websocket = websocketUrl(url);
  const parsed = parsedUrl(websocket);
  if (parsed === undefined) return 'a relay whose URL is not valid';
  const { protocol, host, pathname, search } = parsed;
  const prefix = isGateway(url) ? GATEWAY_PREFIX : '';
  const hidden = pathname === '/' && search === '' ? '' : '/…';
  return `${prefix}${protocol}//${host}${hidden}`;
}

/** The same for a relay in a list: two relays with the same shown name get a number. */
export function shownAmong(url: string, relays: readonly string[]): string {
  const same = relays.filter((other) => shownRelay(other) === shownRelay(url));
  return same.length <= 1 ? shownRelay(url) : `${shownRelay(url)} (${same.indexOf(url) + 1})`;
}

/** Shorter parts are names such as `/nostr`, and would be found inside words. */
const LEAST_SECRET_LENGTH = 8;

/**
 * The parts of a relay's URL that are not shown, plain and decoded: the relay knows them and may repeat them.
 * The longest first.
 */
export function secretsIn(url: string): string[] {
  const parsed = parsedUrl(url);
  if (parsed === undefined) return [];
  const { pathname, searchParams, search } = parsed;
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
