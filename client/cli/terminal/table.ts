import { graphemes, padEnd, widthOf } from './text';

/** Columns between two cells. */
const GAP = 2;
/** A column is not cut below this: less says nothing. */
const MIN_CUT = 10;
const MIN_WRAPPED = 24;

/** Columns of the terminal; unbounded where the output goes to a file or another program, which can cut by itself. */
export function terminalWidth(): number {
  // A pseudo-terminal that nobody has given a size says 0.
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}

/**
 * A table that fits the terminal: the last column is wrapped, the widest of the others are cut in the middle. Whatever is cut
 * stands in full in the command's `--json`.
 */
export function fittedTable(header: string[], rows: string[][], width = terminalWidth()): string {
  const lines = layout(header, rows, width);
  return [...headOf(header, lines), ...rows.flatMap((row) => lines.of(row))].join('\n');
}

/** The same however wide it gets: ids that somebody copies must be whole. */
export function wholeTable(header: string[], rows: string[][]): string {
  return fittedTable(header, rows, Infinity);
}

export interface Section {
  heading: string;
  rows: string[][];
}

/** The same with a heading above each group of rows: a column that would say the same in each of them. */
export function sectionedTable(header: string[], sections: Section[], width = terminalWidth()): string {
  const rows = sections.flatMap((section) => section.rows);
  const lines = layout(header, rows, width - SECTION_INDENT.length);
  const indent = (line: string): string => SECTION_INDENT + line;
  return [
    ...headOf(header, lines).map(indent),
    ...sections.flatMap((section) => [
      ...wrapToWidth(section.heading.replace(/\s+/g, ' '), width),
      ...section.rows.flatMap((row) => lines.of(row).map(indent)),
    ]),
  ].join('\n');
}

const SECTION_INDENT = '  ';

interface Layout {
  widths: number[];
  of(cells: string[]): string[];
}

function layout(header: string[], rows: string[][], width: number): Layout {
  const natural = header.map((_, column) =>
    [header, ...rows].reduce((most, row) => Math.max(most, widthOf(row[column] ?? '')), 0),
  );
  const widths = fittedWidths(natural, width);
  const last = header.length - 1;
  return {
    widths,
    of(texts) {
      // A line break in a machine's name would tear the table.
      const cells = texts.map((text) => text.replace(/\s+/g, ' '));
      const left = widths
        .slice(0, last)
        .map((size, column) => padEnd(cutInTheMiddle(cells[column] ?? '', size), size));
      const blank = left.map((cell) => ' '.repeat(widthOf(cell)));
      return wrapToWidth(cells[last] ?? '', widths[last] ?? 0).map((text, index) =>
        [...(index === 0 ? left : blank), text].join(' '.repeat(GAP)).trimEnd(),
      );
    },
  };
}

function headOf(header: string[], { widths, of }: Layout): string[] {
  return [...of(header), widths.map((size) => '-'.repeat(size)).join(' '.repeat(GAP))];
}

function fittedWidths(natural: number[], width: number): number[] {
  const widths = [...natural];
  const last = widths.length - 1;
  const total = (): number => widths.reduce((sum, size) => sum + size, GAP * last);
  const wrapped = (): number => Math.min(natural[last] ?? 0, MIN_WRAPPED);
  widths[last] = Math.max(wrapped(), Math.min(natural[last] ?? 0, width - (total() - (natural[last] ?? 0))));
  while (total() > width) {
    const widest = widths
      .slice(0, last)
      .reduce((best, size, column, all) => (size > (all[best] ?? 0) ? column : best), 0);
    if ((widths[widest] ?? 0) <= MIN_CUT) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** A paragraph of the terminal's width. */
export function paragraph(text: string): string {
  return wrapToWidth(text, terminalWidth()).join('\n');
}

/** Breaks a text between words, and in a word only where it is longer than a line. */
export function wrapToWidth(text: string, width: number): string[] {
  if (widthOf(text) <= width) return [text];
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const current = lines.at(-1) ?? '';
    const joined = current === '' ? word : `${current} ${word}`;
    if (widthOf(joined) <= width) {
      lines[lines.length - 1] = joined;
      continue;
    }
    const pieces = graphemes(word).reduce<string[]>(
      (all, character) =>
        widthOf((all.at(-1) ?? '') + character) <= width
          ? [...all.slice(0, -1), (all.at(-1) ?? '') + character]
          : [...all, character],
      [''],
    );
    if (current === '') lines.pop();
    lines.push(...pieces);
  }
  return lines;
}

/** Long ids differ at their ends: what is cut is the middle. */
function cutInTheMiddle(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  const segments = graphemes(text);
  const tailWidth = Math.floor((width - 1) / 3);
  const tail = fitting(segments.toReversed(), tailWidth).toReversed();
  return `${fitting(segments, width - 1 - tailWidth).join('')}…${tail.join('')}`;
}

/** As many of the first as have room. */
function fitting(segments: readonly string[], width: number): string[] {
  let taken = 0;
  const end = segments.findIndex((segment) => (taken += widthOf(segment)) > width);
  return end === -1 ? [...segments] : segments.slice(0, end);
}

/** The first characters of an id of 64: enough to tell two apart on a screen. */
export function short(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 8)}…`;
}
