import { graphemes, harmless, padEnd, widthOf, withWholeCommands } from './text';

/** Columns between two cells. */
const GAP = 2;
/** Indent of rows below a heading, and of the fields of a row that are shown one below the other. */
const INDENT = '  ';
/** Below this width, sentences would have one word in each line. */
const LEAST_PROSE = 20;

/**
 * Columns of the terminal; unlimited for a file or another program.
 */
export function terminalWidth(): number {
  // A pseudo-terminal without a size has 0 columns.
  return process.stdout.isTTY ? process.stdout.columns || 80 : Infinity;
}

/** Adds styles to the text of a cell, or to one line of it. */
export type PaintCell = (text: string, column: number, row: readonly string[]) => string;

export interface TableOptions {
  width?: number;
  paint?: PaintCell;
}

/**
 * A table that fits the terminal. Cells are broken only between words: ids, dates and numbers stay whole, so
 * that a person can copy them. Where the columns still do not fit, each row shows its fields one below the
 * other.
 */
export function fittedTable(header: string[], rows: string[][], options: TableOptions = {}): string {
  const { width = terminalWidth() } = options;
  return tableLines(header, rows, { ...options, width }).join('\n');
}

/** The same table at its full width, so that a person can copy whole ids. */
export function wholeTable(header: string[], rows: string[][]): string {
  return fittedTable(header, rows, { width: Infinity });
}

export interface Section {
  heading: string;
  rows: string[][];
}

/** The same with a heading above each group of rows, in place of a column with equal cells. */
export function sectionedTable(header: string[], sections: Section[], options: TableOptions = {}): string {
  const { width = terminalWidth(), paint } = options;
  const rows = sections.flatMap((section) => section.rows);
  const layout = layoutOf(header, rows, width - INDENT.length, paint);
  const indented = (line: string): string => INDENT + line;
  return [
    ...layout.head.map(indented),
    ...sections.flatMap((section) => [
      ...wrapToWidth(oneLine(section.heading), width),
      ...section.rows.flatMap((row) => layout.of(row).map(indented)),
    ]),
  ].join('\n');
}

function tableLines(
  header: string[],
  rows: string[][],
  { width, paint }: TableOptions & { width: number },
): string[] {
  const layout = layoutOf(header, rows, width, paint);
  return [...layout.head, ...rows.flatMap((row) => layout.of(row))];
}

interface Layout {
  head: string[];
  of(row: string[]): string[];
}

function layoutOf(header: string[], rows: string[][], width: number, paint: PaintCell = same): Layout {
  const all = [header, ...rows].map((row) => header.map((_, column) => oneLine(row[column] ?? '')));
  const most = (of: string[][], measure: (text: string) => number): number[] =>
    header.map((_, column) => of.reduce((max, row) => Math.max(max, measure(row[column] ?? '')), 0));
  const prose = most(all.slice(1), widthOf);
  const least = most(all, widestWord).map((word, column) =>
    Math.max(word, Math.min(LEAST_PROSE, prose[column] ?? 0)),
  );
  const widths = shared(most(all, widthOf), least, width - GAP * (header.length - 1));
  return widths === undefined ? stacked(header, width, paint) : beside(header, widths, paint);
}

/** A line break or a control character in the name of a machine would break the table. */
function oneLine(text: string): string {
  return harmless(text.replace(/\s+/g, ' ').trim());
}

function same(text: string): string {
  return text;
}

/**
 * The width of each column: its natural width if all fit. Else each gets its minimum, and the rest goes first
 * to the narrowest columns that need more. Undefined: the minimums do not fit.
 */
function shared(natural: number[], least: number[], width: number): number[] | undefined {
  const sum = (sizes: number[]): number => sizes.reduce((total, size) => total + size, 0);
  if (sum(natural) <= width) return natural;
  const widths = [...least];
  if (sum(widths) > width) return undefined;
  for (let left = width - sum(widths); left > 0; left -= 1) {
    const wanting = widths.flatMap((size, column) => (size < (natural[column] ?? 0) ? [column] : []));
    const [next] = wanting.sort((a, b) => (widths[a] ?? 0) - (widths[b] ?? 0));
    if (next === undefined) break;
    widths[next] = (widths[next] ?? 0) + 1;
  }
  return widths;
}

function widestWord(text: string): number {
  return text.split(' ').reduce((widest, word) => Math.max(widest, widthOf(word)), 0);
}

function beside(header: string[], widths: number[], paint: PaintCell): Layout {
  const of = (row: string[], painted: PaintCell): string[] => {
    const cells = widths.map((size, column) => wrapToWidth(oneLine(row[column] ?? ''), size));
    const height = Math.max(...cells.map((lines) => lines.length));
    return Array.from({ length: height }, (_, index) => {
      const texts = cells.map((lines) => lines[index] ?? '');
      const last = texts.findLastIndex((text) => text !== '');
      return texts
        .slice(0, last + 1)
        .map((text, column) => {
          const blank = column === last ? '' : ' '.repeat((widths[column] ?? 0) - widthOf(text));
          return (text === '' ? '' : painted(text, column, row)) + blank;
        })
        .join(' '.repeat(GAP));
    });
  };
  const rule = widths.map((size) => '-'.repeat(size)).join(' '.repeat(GAP));
  return { head: [...of(header, same), rule], of: (row) => of(row, paint) };
}

/** `name  value` for each field with a value. The first field stands alone: the row is about it. */
function stacked(header: string[], width: number, paint: PaintCell): Layout {
  const names = Math.max(0, ...header.slice(1).map(widthOf));
  const room = Math.max(1, width - INDENT.length - names - GAP);
  return {
    head: [],
    of: (row) =>
      header.flatMap((name, column) => {
        const text = oneLine(row[column] ?? '');
        const painted = (line: string): string => paint(line, column, row);
        if (column === 0) return wrapToWidth(text, width).map(painted);
        if (text === '') return [];
        // An id that would be broken next to its name goes below it.
        if (widestWord(text) > room)
          return [
            INDENT + name,
            ...wrapToWidth(text, width - 2 * INDENT.length).map((line) => INDENT + INDENT + painted(line)),
          ];
        return wrapToWidth(text, room).map(
          (line, index) =>
            `${INDENT}${padEnd(index === 0 ? name : '', names)}${' '.repeat(GAP)}${painted(line)}`,
        );
      }),
  };
}

/** A paragraph of the terminal's width. */
export function paragraph(text: string): string {
  return wrapToWidth(text, terminalWidth()).join('\n');
}

/** Breaks a text between words, and in a word only where it is longer than a line. */
export function wrapToWidth(text: string, width: number): string[] {
  if (widthOf(text) <= width) return [text];
  const lines: string[] = [''];
  for (const word of withWholeCommands(text.split(' '), width)) {
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

/** The first characters of an id of 64: enough to tell two apart on a screen. */
export function short(id: string): string {
  return id.length <= 12 ? id : `${id.slice(0, 8)}…`;
}
