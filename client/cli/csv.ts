import { harmless } from './terminal/text';

/**
 * Lines as in RFC 4180: CRLF, and quotes around a cell with a comma, a semicolon, a quote or a line break.
 * Text from outside cannot control a terminal. It is also no formula in a spreadsheet: an apostrophe stands
 * before it. Where the list separator is `;` (most of Europe), a spreadsheet begins a new cell after every
 * `;` and every line end, even within quotes, so a formula after one of those gets an apostrophe too.
 */
export function csv(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

/** Full-width signs begin a formula in East Asian spreadsheets. */
const FORMULAS = /(^|[;\n])([ "]*)(?=[=+@\-＝＋＠－])/g;

function field(written: string): string {
  const plain = harmless(written.replaceAll('\r\n', '\n').replaceAll('\t', ' '));
  const text = plain.replace(FORMULAS, "$1'$2");
  return /[",;\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
