let dataOption = '';

/** Commands that are named from now on are for the same data folder. */
export function nameDataFolder(directory: string): void {
  dataOption = ` --data ${quoted(directory)}`;
}

/** A command line as a person may paste it into a shell. */
export function command(name: string, operator: string): string {
  return `republish ${name} ${quoted(operator)}${dataOption}`;
}

/** A remedy names commands for any operator; here it is known which. */
export function forOperator(text: string, operator: string): string {
  return text.replaceAll('<operator>', () => quoted(operator));
}

function quoted(id: string): string {
  return /^[\w.@:/+-]+$/.test(id) ? id : `'${id.replaceAll("'", `'\\''`)}'`;
}
