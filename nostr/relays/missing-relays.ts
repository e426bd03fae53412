import { isGateway, parseRelayUrl } from './url';

/**
 * Relays to which LNbits' nostrclient extension publishes (`nostrclient.relays`) and REPUBLISH_RELAYS does
 * not: machines that read there would not find what is republished.
 *
 * Nothing is missing where a gateway is among the configured: whatever goes through it goes to all relays of
 * the extension. What is no websocket URL is left out: the extension itself cannot connect to it.
 *
 * @param extensionRelays URLs as they are in the table
 * @param configured URLs as they are in REPUBLISH_RELAYS
 * @returns in one spelling each, in the table's order; show them by `shownRelay`, since a path may hold a
 * token
 */
export function missingRelays(extensionRelays: readonly string[], configured: readonly string[]): string[] {
  if (configured.some(isGateway)) return [];
  const covered = new Set(configured.map((url) => parseRelayUrl(url)));
  const missing = extensionRelays.flatMap((url) => parseRelayUrl(url) ?? []);
  return [...new Set(missing)].filter((url) => !covered.has(url));
}
