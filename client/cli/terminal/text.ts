/** Control characters would control the terminal. Direction marks would change how a text reads. */
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Names and reasons come from outside. Characters that control a terminal become a mark. Line ends stay. */
export function harmless(text: string): string {
  return text.replace(STEERING, '\ufffd');
}

/**
 * Escapes control characters that JSON.stringify leaves. A program reads the same value.
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
 * The characters as a reader sees them. The segmenter is made on first use: that takes longer than the rest
 * of `--help`.
 */
export function graphemes(text: string): string[] {
  // Nearly every text is ASCII, and a table has thousands of cells.
  if (PLAIN.test(text)) return text.split('');
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' });
  return Array.from(segmenter.segment(text), ({ segment }) => segment);
}

/** Two columns wide in every terminal (Unicode's East Asian Width W and F, by blocks). */
const WIDE =
  /^[\u1100-\u115f\u231a\u231b\u2329\u232a\u23e9-\u23ec\u25fd\u25fe\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2fb}\u{1f1e6}-\u{1f1ff}\u{20000}-\u{3fffd}]/u;
const EMOJI = /^\p{Emoji_Presentation}|\ufe0f/u;
/** Combining marks and invisible characters. */
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

/** The text if it fits, else its first words and an ellipsis. */
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
  // The cut is between words, if the first word fits.
  const words = text[kept.length] === ' ' ? kept : kept.slice(0, Math.max(0, kept.lastIndexOf(' ')));
  return `${(words.trim() === '' ? kept : words).trimEnd()}…`;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** These options take a value. */
const VALUED = /^--(data|machine|operator|document-type|old-pubkey|head)$/;
/** The sentence continues after these. */
const ENDS = /[.,;:)`]$/;

/**
 * Joins the words of a command into one word, if the command fits on a line: a person would paste a line
 * break within it too.
 *
 * @param words all with the blanks after them, or all without
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

/**
 * @returns the index after the last word of the command that begins here, or after the word if none begins
 */
function endOfCommand(words: readonly string[], begin: number): number {
  const at = (index: number): string => words[index]?.trimEnd() ?? '';
  let end = begin + 1;
  const goesOn = (pattern: RegExp): boolean => !ENDS.test(at(end - 1)) && pattern.test(at(end));
  if (/^[(`"]?npx$/.test(at(begin)) && /^republish(-operator-configs)?$/.test(at(end))) end += 1;
  else if (!/^[(`"]?republish$/.test(at(begin))) return end;
  if (!goesOn(/^[a-z]/)) return begin + 1;
  end += 1;
  if (/^(signer|fleet)$/.test(at(end - 1)) && goesOn(/^[a-z]/)) end += 1;
  // The operator. A word of the sentence here does no harm.
  if (goesOn(/^[^-(]/)) end += 1;
  while (goesOn(/^--/)) {
    end += 1;
    if (VALUED.test(at(end - 1)) && goesOn(/./)) end += 1;
  }
  return end;
}

/**
 * Breaks a sentence into lines. A word that is longer than a line stays whole (`wrapToWidth` breaks it).
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

/** The same for each line of a text. Continued lines are indented. */
export function wrapLines(text: string, columns: number): string {
  const indented = (line: string): string[] => {
    const indent = /^ */.exec(line)?.[0] ?? '';
    if (widthOf(line) <= columns) return [line];
    const [first = '', ...others] = wrap(line.trimStart(), Math.max(1, columns - indent.length - 2));
    return [indent + first, ...others.map((other) => `${indent}  ${other}`)];
  };
  return text.split('\n').flatMap(indented).join('\n');
}
