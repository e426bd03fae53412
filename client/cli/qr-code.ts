import { renderUnicodeCompact } from 'uqr';

/** The library draws the light modules as blocks in the text colour. */
const WHITE_ON_BLACK = '\u001b[97;40m';
const AS_BEFORE = '\u001b[0m';

/**
 * A QR code for a terminal; undefined where the terminal has too few columns. It sets its own colours: many
 * cameras cannot read an inverted code.
 */
export function qrCode(text: string, columns: number): string | undefined {
  const lines = renderUnicodeCompact(text, { border: 2, ecc: 'L' }).split('\n');
  if ((lines[0]?.length ?? 0) > columns) return undefined;
  return lines.map((line) => `${WHITE_ON_BLACK}${line}${AS_BEFORE}`).join('\n');
}
