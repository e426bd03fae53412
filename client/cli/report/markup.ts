import { onOneLine } from '../terminal/text';

/** Markup that may stand in a page as it is. Only `html` makes it, so that what came from a row is always escaped. */
export class Html {
  constructor(readonly source: string) {}
}

type Part = Html | string | number | false | null | undefined | readonly Part[];

/** A template of a page: everything that is put into it is text, unless it is made by `html` itself. */
export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  let source = strings[0] ?? '';
  for (const [index, part] of parts.entries()) source += sourceOf(part) + (strings[index + 1] ?? '');
  return new Html(source);
}

function sourceOf(part: Part): string {
  if (part instanceof Html) return part.source;
  if (Array.isArray(part)) return (part as readonly Part[]).map(sourceOf).join('');
  if (part === null || part === undefined || part === false) return '';
  return escaped(shown(String(part)));
}

/** What a reader sees of a text from elsewhere: on one line, and with a mark in place of what would steer the page. */
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

/** A name, an id or words from elsewhere: whatever direction they are written in, what stands beside them stays in place. */
export function foreign(text: string): Html {
  return html`<bdi>${text}</bdi>`;
}

/** A sentence of ours: what stands between backticks is a command. */
export function sentence(text: string): Html {
  return html`${text.split('`').map((part, index) => (index % 2 === 0 ? html`${part}` : html`<code>${part}</code>`))}`;
}
