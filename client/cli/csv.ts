import { harmless } from './terminal/text';

/**
 * Lines of RFC 4180: CRLF, and quotes around what holds a comma, a semicolon, a quote or a line break. What
 * strangers wrote neither steers a terminal nor is a formula to a spreadsheet: before what would be one
 * stands an apostrophe. Where the list separator is `;` (most of Europe), a spreadsheet ends a cell at every
 * `;` and every line end, whatever the quotes say, so what follows one of those counts as a cell too.
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
