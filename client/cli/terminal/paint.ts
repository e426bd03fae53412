import { cut, graphemes, onOneLine, widthOf, withWholeCommands } from './text';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** A piece of a line, with its style. */
export type Span = string | readonly [Style, string];

export interface Line {
  spans: Span[];
  /** Neither cut nor broken: a URL to open, a command to type. It takes as many rows as it needs. */
  isWhole?: boolean;
  /** One row: the rest is cut, where there is no room for more. */
  isBrief?: boolean;
}

const CODES: Record<Style, [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export function line(...spans: Span[]): Line {
  return { spans };
}

export function whole(...spans: Span[]): Line {
  return { spans, isWhole: true };
}

/**
 * Breaks a line between words into lines that fit. Continued lines are indented. Only a word that is longer
 * than a line is broken.
 */
export function fitted(line: Line, columns: number): Line[] {
  if (line.isWhole || line.isBrief || lineWidth(line) <= columns) return [line];
  const indent = Math.min(2 + (/^ */.exec(line.spans.map(textOf).join(''))?.[0].length ?? 0), columns >> 1);
  const rows: Row[] = [{ spans: [], width: 0, begins: 0 }];
  for (const span of line.spans)
    for (const piece of withWholeCommands(textOf(span).split(/(?<= )(?! )/), columns - indent))
      place(piece, span, { rows, indent, columns });
  return rows.map(({ spans }) => ({ spans }));
}

interface Row {
  spans: Span[];
  width: number;
  /** Columns before its first word. */
  begins: number;
}

/** @param piece a word and the blanks behind it */
function place(piece: string, span: Span, room: { rows: Row[]; indent: number; columns: number }): void {
  const { rows, indent, columns } = room;
  const word = piece.trimEnd();
  let row = rows.at(-1) as Row;
  if (word !== '' && row.width > row.begins && row.width + widthOf(word) > columns) {
    row = { spans: [' '.repeat(indent)], width: indent, begins: indent };
    rows.push(row);
  }
  const isTooLong = row.width + widthOf(word) > columns;
  const taken = isTooLong ? beginning(word, columns - row.width) : piece;
  const fits = row.width + widthOf(taken) <= columns ? taken : taken.trimEnd();
  row.spans.push(typeof span === 'string' ? fits : ([span[0], fits] as const));
  row.width += widthOf(fits);
  if (isTooLong) place(piece.slice(taken.length), span, room);
}

/** As much of a word as fits, at least one character. */
function beginning(word: string, columns: number): string {
  const [first = '', ...others] = graphemes(word);
  let taken = first;
  for (const character of others) {
    if (widthOf(taken + character) > columns) break;
    taken += character;
  }
  return taken;
}

function textOf(span: Span): string {
  return onOneLine(typeof span === 'string' ? span : span[1]);
}

/** Columns of a line before it is cut. */
export function lineWidth({ spans }: Line): number {
  return spans.reduce((sum, span) => sum + widthOf(textOf(span)), 0);
}

/** Rows that a line takes in a terminal of so many columns. */
export function rowsOf(line: Line, columns: number): number {
  return line.isWhole ? Math.max(1, Math.ceil(lineWidth(line) / columns)) : 1;
}

/**
 * A line as it is written to the terminal, cut to the columns. Text from outside cannot control the terminal.
 */
export function paint({ spans, isWhole }: Line, columns: number, inColour: boolean): string {
  let left = isWhole ? Infinity : columns;
  let painted = '';
  for (const span of spans) {
    const text = cut(textOf(span), left);
    left -= widthOf(text);
    painted += inColour && typeof span !== 'string' ? styled(span[0], text) : text;
    // Text after the cut would look like the continuation of the word.
    if (text !== textOf(span)) break;
  }
  return painted;
}

export function styled(style: Style, text: string): string {
  const [on, off] = CODES[style];
  return text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`;
}
