import type { WriteStream } from 'node:tty';
import { type ColourChoice, loadTerminalConfiguration } from '../../configuration/terminal';
import { styled, type Style } from './terminal/paint';
import type { PaintCell } from './terminal/table';
import { harmless, harmlessJson, wrapLines } from './terminal/text';

let colourChoice: ColourChoice | undefined;

/**
 * What `--color` and `--no-color` say; without, the environment decides (NO_COLOR, FORCE_COLOR), and else
 * whether it is a terminal.
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

/**
 * Whether something can be kept in place on a stream: not in a file or a pipe, nor where the cursor cannot be
 * moved.
 */
export function canRedraw(stream: WriteStream): boolean {
  return stream.isTTY === true && !loadTerminalConfiguration().isDumb;
}

/** Text in a style, where standard output (or another stream) is coloured. */
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

/** The same, with styles in it: whatever strangers wrote there is harmless already. */
export function printPainted(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Styles of a table's cells on standard output, where that is coloured. */
export function cellStyles(
  styleOf: (column: number, row: readonly string[]) => Style | undefined,
): PaintCell {
  const isPlain = !inColour(process.stdout);
  return (text, column, row) => {
    const style = isPlain ? undefined : styleOf(column, row);
    return style === undefined ? text : styled(style, text);
  };
}

/** Whatever is said beside the result, on stderr: with --json stdout holds nothing but data. */
export function say(text: string): void {
  process.stderr.write(`${fittedTo(process.stderr, harmless(text))}\n`);
}

/**
 * Text as it is for a file or another program; no word of it is broken by a terminal that has room for it.
 */
export function fittedTo({ isTTY, columns }: WriteStream, text: string): string {
  // A row that is full to its last column is broken by some terminals.
  return isTTY ? wrapLines(text, (columns || 80) - 1) : text;
}
