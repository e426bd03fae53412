import { harmless } from './terminal/text';

/**
 * Lines of RFC 4180: CRLF, and quotes around what holds a comma, a quote or a line break. What strangers wrote neither steers
 * a terminal nor is a formula to a spreadsheet: before what would be one stands an apostrophe.
 */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

function field(written: string): string {
  const plain = harmless(written.replaceAll('\r\n', '\n').replaceAll('\t', ' '));
  const text = /^\s*[=+@-]/.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
