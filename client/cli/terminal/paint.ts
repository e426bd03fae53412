import { cut, onOneLine, widthOf } from './text';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** A piece of a line, with the style it has where colours are shown. */
export type Span = string | readonly [Style, string];

export interface Line {
  spans: Span[];
  /** Never cut: an address to open, a command to type. It takes as many rows as it needs. */
  isWhole?: boolean;
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

/** A line as it is written, in at most so many columns; what strangers wrote in it cannot steer the terminal. */
export function paint({ spans, isWhole }: Line, columns: number, inColour: boolean): string {
  let left = isWhole ? Infinity : columns;
  let painted = '';
  for (const span of spans) {
    const text = cut(textOf(span), left);
    left -= widthOf(text);
    painted += inColour && typeof span !== 'string' ? styled(span[0], text) : text;
    // What follows a cut would look like its continuation.
    if (text !== textOf(span)) break;
  }
  return painted;
}

export function styled(style: Style, text: string): string {
  const [on, off] = CODES[style];
  return text === '' ? '' : `\u001b[${on}m${text}\u001b[${off}m`;
}
