import { IF_IT_HOLDS } from '../contract/catalogue/kind';

/** A word as a person may paste it into a shell: ids come from strangers. */
export function shellWord(text: string): string {
  return /^[\w.@:/+-]+$/.test(text) && !text.startsWith('-') ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A text of the catalogue about a run, as it is for a fleet. */
export function forFleet(text: string): string {
  return text
    .replaceAll(IF_IT_HOLDS, '')
    .replaceAll('republish verify <operator>', 'republish fleet verify --all')
    .replace(/\brepublish (start|status|pause|resume|cancel|end|audit) <operator>/g, 'republish fleet $1')
    .replace(/\b([Tt])he run\b/g, '$1he fleet');
}

/**
 * A remedy names commands for any operator (`republish retry <operator>`); here it is known which.
 *
 * @param operatorUserId undefined: not even here
 */
export function forOperator(text: string, operatorUserId: string | undefined): string {
  return operatorUserId === undefined ? text : text.replaceAll('<operator>', () => shellWord(operatorUserId));
}
