import type { RepublishResult } from '../contract/input';

/** Of base64url (RFC 4648, section 5), six bits each. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** Of an event id, in hex. */
const ID_LENGTH = 64;

/** Unpacks the event ids of `persistAudit`. The sandbox of a workflow has no base64 decoder. */
export function unpackEvents(packed: Record<string, string>): RepublishResult {
  return Object.fromEntries(Object.entries(packed).map(([type, text]) => [type, unpack(text)]));
}

function unpack(text: string): string[] {
  let hex = '';
  // Two characters are three hex digits. After an odd last character `charAt` gives '', which indexOf finds
  // at 0: that adds zeros after the last id, which are cut off below.
  for (let index = 0; index < text.length; index += 2) {
    const bits = (ALPHABET.indexOf(text.charAt(index)) << 6) | ALPHABET.indexOf(text.charAt(index + 1));
    hex += bits.toString(16).padStart(3, '0');
  }
  return Array.from({ length: Math.floor(hex.length / ID_LENGTH) }, (_, index) =>
    hex.slice(index * ID_LENGTH, (index + 1) * ID_LENGTH),
  );
}
