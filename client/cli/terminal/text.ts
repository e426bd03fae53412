/** Control characters would steer the terminal; marks of direction would show a text other than it is. */
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Names and reasons come from strangers: what would steer a terminal is shown as a mark. Line ends stay. */
export function harmless(text: string): string {
  return text.replace(STEERING, '\ufffd');
}

/**
 * JSON that says the same to a program. It writes only some of the characters that steer a terminal by their
 * number.
 */
export function harmlessJson(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Harmless text on one line. */
export function onOneLine(text: string): string {
  return harmless(text.replace(/[\t\r\n]+/g, ' '));
}

const PLAIN = /^[\u0020-\u007e]*$/;

let segmenter: Intl.Segmenter | undefined;

/**
 * What is seen as one character, each. The segmenter is made when it is needed: it takes longer than the rest
 * of `--help`.
 */
export function graphemes(text: string): string[] {
  // Nearly every text is plain, and a table has thousands of cells.
  if (PLAIN.test(text)) return text.split('');
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Two columns wide in every terminal (Unicode's East Asian Width W and F, by blocks). */
const WIDE =
  /^[\u1100-\u115f\u231a\u231b\u2329\u232a\u23e9-\u23ec\u25fd\u25fe\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2fb}\u{1f1e6}-\u{1f1ff}\u{20000}-\u{3fffd}]/u;
const EMOJI = /^\p{Emoji_Presentation}|\ufe0f/u;
/** Marks that sit on the character before, and what is not seen at all. */
const NO_WIDTH = /^[\p{Mark}\p{Cf}\u200b]+$/u;

/** Columns that a text takes in a terminal. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const segment of graphemes(text)) width += widthOfGrapheme(segment);
  return width;
}

function widthOfGrapheme(grapheme: string): number {
  if (NO_WIDTH.test(grapheme)) return 0;
  return WIDE.test(grapheme) || EMOJI.test(grapheme) ? 2 : 1;
}

/** The text if it has room in so many columns, else as many of its first words and an ellipsis. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  if (columns < 1) return '';
  let kept = '';
  let width = 0;
  for (const segment of graphemes(text)) {
    width += widthOfGrapheme(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  // Between words, where the first of them has room.
  const words = text[kept.length] === ' ' ? kept : kept.slice(0, Math.max(0, kept.lastIndexOf(' ')));
  return `${(words.trim() === '' ? kept : words).trimEnd()}…`;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** Behind these stands a value. */
const VALUED = /^--(data|machine|operator|document-type|old-pubkey|head)$/;
/** The sentence goes on behind it. */
const ENDS = /[.,;:)`]$/;

/**
 * Words of a text, where a command that somebody may paste is one word as long as it has room on a line: a
 * line break in it would be pasted too.
 *
 * @param words each with the blanks behind it, or none with any
 */
export function withWholeCommands(words: readonly string[], columns: number): string[] {
  const between = words.some((word) => word.endsWith(' ')) ? '' : ' ';
  const joined: string[] = [];
  for (let index = 0; index < words.length;) {
    const end = endOfCommand(words, index);
    const command = words.slice(index, end).join(between);
    const isOne = end > index + 1 && widthOf(command.trimEnd()) <= columns;
    joined.push(isOne ? command : (words[index] ?? ''));
    index = isOne ? end : index + 1;
  }
  return joined;
}

/** @returns behind the last word of the command that begins here; that of the word itself where none does */
function endOfCommand(words: readonly string[], begin: number): number {
  const at = (index: number): string => words[index]?.trimEnd() ?? '';
  let end = begin + 1;
  const goesOn = (pattern: RegExp): boolean => !ENDS.test(at(end - 1)) && pattern.test(at(end));
  if (!/^[(`]?republish$/.test(at(begin)) || !goesOn(/^[a-z]/)) return end;
  end += 1;
  if (/^(signer|fleet)$/.test(at(end - 1)) && goesOn(/^[a-z]/)) end += 1;
  // Whom it is for; a word of the sentence does no harm.
  if (goesOn(/^[^-(]/)) end += 1;
  while (goesOn(/^--/)) {
    end += 1;
    if (VALUED.test(at(end - 1)) && goesOn(/./)) end += 1;
  }
  return end;
}

/**
 * A sentence on as many lines as it needs; a word that is longer than a line stays whole (`wrapToWidth`
 * breaks it).
 */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of withWholeCommands(text.split(' '), columns)) {
    if (current === '') current = word;
    else if (widthOf(current) + 1 + widthOf(word) <= columns) current += ` ${word}`;
    else {
      lines.push(current);
      current = word;
    }
  }
  return [...lines, current];
}

/** The same for each line of a text; what goes on is indented. */
export function wrapLines(text: string, columns: number): string {
  const indented = (line: string): string[] => {
    const indent = /^ */.exec(line)?.[0] ?? '';
    if (widthOf(line) <= columns) return [line];
    const [first = '', ...others] = wrap(line.trimStart(), Math.max(1, columns - indent.length - 2));
    return [indent + first, ...others.map((other) => `${indent}  ${other}`)];
  };
  return text.split('\n').flatMap(indented).join('\n');
}
