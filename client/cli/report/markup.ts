import { onOneLine } from '../terminal/text';

/**
 * Markup that goes into a page unescaped. Only `markup` makes it, so that values from rows are always
 * escaped.
 */
export class Markup {
  constructor(readonly source: string) {}
}

type Part = Markup | string | number | false | null | undefined | readonly Part[];

/**
 * A template of a page: every inserted value is escaped, unless `markup` made it. The name is not `html`,
 * because formatters close the elements of a template with that name.
 */
export function markup(strings: TemplateStringsArray, ...parts: Part[]): Markup {
  let source = strings[0] ?? '';
  for (const [index, part] of parts.entries()) source += sourceOf(part) + (strings[index + 1] ?? '');
  return new Markup(source);
}

function sourceOf(part: Part): string {
  if (part instanceof Markup) return part.source;
  if (Array.isArray(part)) return (part as readonly Part[]).map(sourceOf).join('');
  if (part === null || part === undefined || part === false) return '';
  return escaped(shown(String(part)));
}

/**
 * Text from outside as a reader sees it: on one line, with a mark in place of control characters.
 */
export function shown(text: string): string {
  return onOneLine(text).replace(/\p{Surrogate}/gu, '\ufffd');
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}

/**
 * A name, an id or words from outside. Text that is written from right to left does not move the text next to
 * it.
 */
export function foreign(text: string): Markup {
  return markup`<bdi>${text}</bdi>`;
}

/** A sentence of our own. Text between backticks is a command. */
export function sentence(text: string): Markup {
  return markup`${text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? markup`${part}` : markup`<code>${part}</code>`))}`;
}

/** Parts with something between them. */
export function joined(parts: readonly Markup[], between: Markup | string = ', '): Markup {
  return markup`${parts.map((part, index) => [index > 0 && between, part])}`;
}
