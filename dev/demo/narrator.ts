const TERMINAL_WIDTH = 80;

let line: (text: string) => void = () => undefined;

/** Where the story goes. Only the result and the audit row go to stdout. */
export function narrateTo(say: (text: string) => void): void {
  line = say;
}

export function chapter(title: string): void {
  line(`\n${title}`);
}

/** Prints an address or a setting that helps to look around. */
export function note(text: string): void {
  line(`    ${text}`);
}

/** Prints an event of the story. */
export function happened(text: string): void {
  line(`  * ${text}`);
}

/** Prints data on stdout. A long value gets a line of its own, so that a terminal does not break it. */
export function data(value: unknown): void {
  const lines = JSON.stringify(value, null, 2).split('\n');
  const folded = lines.map((text) =>
    text.length < TERMINAL_WIDTH ? text : text.replace(/^( *)("[^"]*":) /, '$1$2\n$1  '),
  );
  process.stdout.write(`${folded.join('\n')}\n`);
}

/** Prints a result that must hold. Throws if it does not. */
export function demand(condition: boolean, text: string): void {
  if (!condition) throw new Error(`not as it should be: ${text}`);
  happened(text);
}
