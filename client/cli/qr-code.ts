import { renderUnicodeCompact } from 'uqr';

/** The library draws the light modules, as blocks in the colour of the text. */
const WHITE_ON_BLACK = '\u001b[97;40m';
const AS_BEFORE = '\u001b[0m';

/**
 * A QR code for a terminal of so many columns, or undefined where it has no room. With colours of its own,
 * whatever the terminal's are: a code the other way round is not read by every camera.
 */
export function qrCode(text: string, columns: number): string | undefined {
  const lines = renderUnicodeCompact(text, { border: 2, ecc: 'L' }).split('\n');
  if ((lines[0]?.length ?? 0) > columns) return undefined;
  return lines.map((line) => `${WHITE_ON_BLACK}${line}${AS_BEFORE}`).join('\n');
}
