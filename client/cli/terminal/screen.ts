import type { WriteStream } from 'node:tty';
import { type Line, lineWidth, paint, rowsOf } from './paint';

const ESC = '\u001b[';
const HIDE_CURSOR = `${ESC}?25l`;
const SHOW_CURSOR = `${ESC}?25h`;
/** Terminals that know it show a frame when it is complete (synchronised output); the others ignore it. */
const BEGIN_FRAME = `${ESC}?2026h`;
const END_FRAME = `${ESC}?2026l`;
const ERASE_LINE_END = `${ESC}K`;
const ERASE_BELOW = `${ESC}J`;
const ERASE_ALL = `${ESC}2J`;
const HOME = `${ESC}H`;
const FALLBACK_COLUMNS = 80;
const FALLBACK_ROWS = 24;

/**
 * The lower part of a terminal, redrawn in place. A frame is written over the last one in one write, so that
 * nothing flickers. The lines above stay, and the last frame stays after `close`.
 */
export class Screen {
  #shown: Line[] = [];
  #shownColumns = FALLBACK_COLUMNS;
  #isOpen = false;

  constructor(
    private readonly stream: WriteStream,
    private readonly inColour: boolean,
  ) {}

  get columns(): number {
    return this.stream.columns || FALLBACK_COLUMNS;
  }

  /** Rows that a frame may have; the last one is for the cursor. */
  get rows(): number {
    return Math.max(1, (this.stream.rows || FALLBACK_ROWS) - 1);
  }

  draw(lines: Line[]): void {
    const { columns } = this;
    const frame = this.#fitting(lines, columns);
    const text = frame.map((line) => this.#written(line, columns)).join('');
    this.stream.write(
      `${this.#isOpen ? '' : HIDE_CURSOR}${BEGIN_FRAME}${this.#toTop(columns)}${text}${ERASE_BELOW}${END_FRAME}`,
    );
    this.#isOpen = true;
    this.#shown = frame;
    this.#shownColumns = columns;
  }

  /** Leaves the last frame where it is, and the cursor below it. */
  close(): void {
    if (this.#isOpen) this.stream.write(SHOW_CURSOR);
    this.#isOpen = false;
    this.#shown = [];
  }

  #written(line: Line, columns: number): string {
    // A full row leaves the cursor on its last column: erasing to the end would remove the last character.
    if (!line.isWhole) return `${paint(line, columns - 1, this.inColour)}${ERASE_LINE_END}\n`;
    const isFull = lineWidth(line) > 0 && lineWidth(line) % columns === 0;
    return `${paint(line, columns, this.inColour)}${isFull ? '' : ERASE_LINE_END}\n`;
  }

  /** Moves the cursor to the start of the last frame. */
  #toTop(columns: number): string {
    if (this.#shown.length === 0) return '';
    // Terminals break and join lines differently when their width changes: the start of the frame is unknown.
    if (columns !== this.#shownColumns) return `${ERASE_ALL}${HOME}`;
    const rows = this.#shown.reduce((sum, line) => sum + rowsOf(line, columns), 0);
    return `\r${ESC}${Math.min(rows, this.rows)}A`;
  }

  /** The lines that fit: a line that scrolled away could not be redrawn. */
  #fitting(lines: Line[], columns: number): Line[] {
    const frame: Line[] = [];
    let left = this.rows;
    for (const line of lines) {
      left -= rowsOf(line, columns);
      if (left < 0) break;
      frame.push(line);
    }
    return frame;
  }
}
