/** A command line as a person may paste it into a shell. */
export function command(name: string, operator: string): string {
  return `republish ${name} ${quoted(operator)}`;
}

function quoted(id: string): string {
  return /^[\w.@:/+-]+$/.test(id) ? id : `'${id.replaceAll("'", `'\\''`)}'`;
}
