import type { RepublishResult } from '../contract/input';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Of an event id, in hex. */
const ID_LENGTH = 64;

/** Event ids by document type from what `persistAudit` packed. Nothing in a workflow's sandbox reads base64. */
export function unpackEvents(packed: Record<string, string>): RepublishResult {
  return Object.fromEntries(Object.entries(packed).map(([type, base64]) => [type, unpack(base64)]));
}

function unpack(base64: string): string[] {
  let hex = '';
  for (let index = 0; index < base64.length; index += 4) {
    // Four characters of six bits are three bytes; padding is all at the end.
    const digits = [...base64.slice(index, index + 4)].filter((character) => character !== '=');
    const bits = digits.reduce((sum, digit, place) => sum | (ALPHABET.indexOf(digit) << (18 - 6 * place)), 0);
    hex += bits
      .toString(16)
      .padStart(6, '0')
      .slice(0, Math.floor((digits.length * 6) / 8) * 2);
  }
  return Array.from({ length: hex.length / ID_LENGTH }, (_, index) =>
    hex.slice(index * ID_LENGTH, (index + 1) * ID_LENGTH),
  );
}
