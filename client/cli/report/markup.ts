import { onOneLine } from '../terminal/text';

/**
 * Markup that may stand in a page as it is. Only `markup` makes it, so that what came from a row is always
 * escaped.
 */
export class Markup {
  constructor(readonly source: string) {}
}

type Part = Markup | string | number | false | null | undefined | readonly Part[];

/**
 * A template of a page: everything that is put into it is text, unless it is made by `markup` itself. It has
 * this name because formatters take one that is called `html` for a page, and close its elements.
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
 * What a reader sees of a text from elsewhere: on one line, with a mark in place of what would steer the
 * page.
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
 * A name, an id or words from elsewhere: in whatever direction they are written, what stands beside them
 * stays in place.
 */
export function foreign(text: string): Markup {
  return markup`<bdi>${text}</bdi>`;
}

/** A sentence of ours: what stands between backticks is a command. */
export function sentence(text: string): Markup {
  return markup`${text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? markup`${part}` : markup`<code>${part}</code>`))}`;
}

/** Parts with something between them. */
export function joined(parts: readonly Markup[], between: Markup | string = ', '): Markup {
  return markup`${parts.map((part, index) => [index > 0 && between, part])}`;
}
