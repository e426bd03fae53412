import { isGateway, parseRelayUrl } from './url';

/**
 * Relays that LNbits' nostrclient extension publishes to (`nostrclient.relays`) and REPUBLISH_RELAYS does not
 * name. Machines that read only there would not find republished documents.
 *
 * With a gateway in REPUBLISH_RELAYS none is missing: the gateway reaches all relays of the extension. A text
 * that is no websocket URL is left out: the extension cannot connect to it.
 *
 * @param extensionRelays URLs as in the table
 * @param configured URLs as in REPUBLISH_RELAYS
 * @returns normalised URLs in the table's order. Show them by `shownRelay`: a path may hold a token
 */
export function missingRelays(extensionRelays: readonly string[], configured: readonly string[]): string[] {
  if (configured.some(isGateway)) return [];
  const covered = new Set(configured.map((url) => parseRelayUrl(url)));
  const missing = extensionRelays.flatMap((url) => parseRelayUrl(url) ?? []);
  return [...new Set(missing)].filter((url) => !covered.has(url));
}
