/** A word as a person may paste it into a shell: ids come from strangers. */
export function shellWord(text: string): string {
  return /^[\w.@:/+-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/**
 * A remedy names commands for any operator (`republish retry <operator>`); here it is known which.
 *
 * @param operatorUserId undefined: not even here
 */
export function forOperator(text: string, operatorUserId: string | undefined): string {
  return operatorUserId === undefined ? text : text.replaceAll('<operator>', () => shellWord(operatorUserId));
}
