/** The story goes to stderr, and only the result and the audit row to stdout. */
function line(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function chapter(title: string): void {
  line(`\n${title}`);
}

/** Something that helps to look around. */
export function note(text: string): void {
  line(`    ${text}`);
}

/** Something that took place. */
export function happened(text: string): void {
  line(`  * ${text}`);
}

/** Something that must be so: says it, or ends the story. */
export function demand(condition: boolean, text: string): void {
  if (!condition) throw new Error(`not as it should be: ${text}`);
  happened(text);
}
