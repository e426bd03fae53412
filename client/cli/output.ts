/** Data for the next program, on stdout. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Text for people, as the result of a command, on stdout. */
export function print(text: string): void {
  process.stdout.write(`${harmless(text)}\n`);
}

/** Whatever is said beside the result, on stderr: with --json stdout holds nothing but data. */
export function say(text: string): void {
  process.stderr.write(`${harmless(text)}\n`);
}

/** Names and reasons come from strangers: what would steer a terminal is shown as a mark. */
function harmless(text: string): string {
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '\ufffd');
}

/** Columns as wide as their widest cell. */
export function table(header: string[], rows: string[][]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(header), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
