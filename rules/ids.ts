/** Ids of LNbits have 22 or 32 characters; Temporal takes a workflow id of 1,000. */
const MAX_LENGTH = 200;
/** What is shown of one that is too long. */
const MAX_SHOWN = 60;

const BLANK = /[\s\p{Z}]/u;
/**
 * Also marks that nobody sees, of direction or of no width, and half of a surrogate pair, which is no UTF-8.
 */
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}]/u;
const UNSEEN = /\p{C}|(?! )\p{Z}/gu;

/**
 * What is wrong with the id of an operator, a machine or a run, as a sentence with the id in quotes;
 * undefined when nothing is. The one rule for every entry: with a blank in it, an id was most likely pasted
 * wrongly, and is of nobody.
 *
 * @param name of the id in that sentence, such as `operatorUserId`
 */
export function problemOfId(name: string, id: unknown): string | undefined {
  const why = whyNoId(id);
  return why === undefined
    ? undefined
    : `${name} must be 1 to ${MAX_LENGTH} characters without blanks or control characters: ${shown(id)} ${why}`;
}

function whyNoId(id: unknown): string | undefined {
  if (typeof id !== 'string') return 'is no text';
  if (id === '') return 'is empty';
  if (id.length > MAX_LENGTH) return `has ${id.length} characters`;
  if (BLANK.test(id)) return 'has a blank';
  return CONTROL.test(id) ? 'has a control character' : undefined;
}

function shown(id: unknown): string {
  if (typeof id !== 'string') return (JSON.stringify(id) ?? 'undefined').slice(0, MAX_SHOWN);
  const text = [...id].slice(0, MAX_SHOWN).join('');
  const more = text.length < id.length ? '…' : '';
  return `${escaped(JSON.stringify(text))}${more}`;
}

/** What cannot be seen is written by its number. */
function escaped(text: string): string {
  return text.replace(UNSEEN, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
