import { parsedUrl } from './url';

/** The page's address is a bunker's word, and a person opens it: this many characters at most. */
const MAX_LENGTH = 2_000;

/**
 * The page on which a person approves (NIP-46 `auth_url`), in a spelling that steers no terminal and shows
 * the host that a browser opens: without a user name, which would stand in front of it as if it were the
 * host, and with a foreign alphabet spelled out (IDNA). Undefined when it is no address that a person could
 * open.
 */
export function approvalPage(text: string): string | undefined {
  const url = text.length > MAX_LENGTH ? undefined : parsedUrl(text);
  if (url === undefined) return undefined;
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return undefined;
  url.username = '';
  url.password = '';
  return url.href;
}
