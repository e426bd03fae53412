/** A word that is safe to paste into a shell: ids come from strangers. */
export function shellWord(text: string): string {
  return /^[\w.@:/+-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** The catalogue's sentence about a run, as a sentence about a fleet. */
export function forFleet(text: string): string {
  return text
    .replaceAll('republish end <operator>', 'republish fleet end')
    .replace(/\bthe run\b/g, 'the fleet');
}

/**
 * A remedy of the catalogue names commands for any operator (`republish retry <operator>`). This puts in the
 * operator.
 *
 * @param operatorUserId undefined: the operator is not known
 */
export function forOperator(text: string, operatorUserId: string | undefined): string {
  return operatorUserId === undefined ? text : text.replaceAll('<operator>', () => shellWord(operatorUserId));
}
