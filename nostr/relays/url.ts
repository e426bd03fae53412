/**
 * A relay URL in one spelling (lower-case host, no trailing slash on a bare host), or undefined when it is not ws:// or wss://.
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
 * A relay as it may be shown and stored: without its path and query, which are a bearer secret with gateways such as
 * nostrclient.
 */
export function shownRelay(url: string): string {
  if (!URL.canParse(url)) return 'a relay whose URL is not valid';
  const { protocol, host, pathname, search } = new URL(url);
  return `${protocol}//${host}${pathname === '/' && search === '' ? '' : '/…'}`;
}
