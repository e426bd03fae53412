import type { WriteStream } from 'node:tty';
import { type ColourChoice, loadTerminalConfiguration } from '../../configuration/terminal';
import { styled, type Style } from './terminal/paint';
import type { PaintCell } from './terminal/table';
import { harmless, harmlessJson, wrapLines } from './terminal/text';

let colourChoice: ColourChoice | undefined;

/**
 * Sets `--color` or `--no-color`. Without them the environment decides (NO_COLOR, FORCE_COLOR), else whether
 * the stream is a terminal.
 */
export function chooseColour(choice: ColourChoice | false | undefined): void {
  colourChoice = choice === false ? 'never' : choice === 'auto' ? undefined : choice;
}

/** Whether what is written to a stream is coloured. Data (JSON, CSV) never is. */
export function inColour(stream: WriteStream): boolean {
  const { colour, isDumb } = loadTerminalConfiguration();
  const choice = colourChoice ?? colour;
  return choice === 'auto' ? stream.isTTY === true && !isDumb : choice === 'always';
}

/** Whether lines of a stream can be redrawn: not in a file or a pipe, nor where the cursor cannot move. */
export function canRedraw(stream: WriteStream): boolean {
  return stream.isTTY === true && !loadTerminalConfiguration().isDumb;
}

/** Text in a style, if the stream is coloured. */
export function paintedFor(stream: WriteStream, style: Style, text: string): string {
  return inColour(stream) ? styled(style, harmless(text)) : harmless(text);
}

/** Data for the next program, on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${harmlessJson(JSON.stringify(value, null, 2))}\n`);
}

/** One of several objects, each on a line of its own (JSON lines), on stdout. */
export function printJsonLine(value: unknown): void {
  process.stdout.write(`${harmlessJson(JSON.stringify(value))}\n`);
}

/** Text for people, as the result of a command, on stdout. */
export function print(text: string): void {
  process.stdout.write(`${harmless(text)}\n`);
}

/** Most things that `sayEach` names. */
const MAX_NAMED = 20;

/** Says a line for each of the first 20, and how many more there are. */
export function sayEach<T>(
  all: readonly T[],
  lineOf: (one: T) => string,
  moreOf: (count: number) => string,
): void {
  for (const one of all.slice(0, MAX_NAMED)) say(lineOf(one));
  if (all.length > MAX_NAMED) say(moreOf(all.length - MAX_NAMED));
}

/** As `print`, for text that has styles. The caller has already made text from outside harmless. */
export function printPainted(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Styles of the cells of a table, if standard output is coloured. */
export function cellStyles(
  styleOf: (column: number, row: readonly string[]) => Style | undefined,
): PaintCell {
  const isPlain = !inColour(process.stdout);
  return (text, column, row) => {
    const style = isPlain ? undefined : styleOf(column, row);
    return style === undefined ? text : styled(style, text);
  };
}

/** Text for people that is not the result, on stderr. With --json, stdout contains only data. */
export function say(text: string): void {
  process.stderr.write(`${fittedTo(process.stderr, harmless(text))}\n`);
}

/** Wraps text between words for a terminal. For a file or another program the text stays as it is. */
export function fittedTo({ isTTY, columns }: WriteStream, text: string): string {
  // Some terminals break a row that is full to its last column.
  return isTTY ? wrapLines(text, (columns || 80) - 1) : text;
}
