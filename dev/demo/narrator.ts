/** The story goes to stderr. Only the result and the audit row go to stdout. */
function line(text: string): void {
  process.stderr.write(`${text}\n`);
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

/** Prints a result that must hold. Throws if it does not. */
export function demand(condition: boolean, text: string): void {
  if (!condition) throw new Error(`not as it should be: ${text}`);
  happened(text);
}
