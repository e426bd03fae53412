import { grouped } from '../../../rules/page-name';
import type { Cause, Report } from '../../../inspection/report/model';
import { foreign, joined, markup, type Markup, sentence } from './markup';
import { section } from './page';
import { plural } from './words';

/** Links between causes and rows. All of them stay on the page. */
export interface Links {
  /** The row of a machine, or of an operator, by its id. */
  rows: ReadonlyMap<string, number>;
  /** The number of a cause, by its failure type. */
  causes: ReadonlyMap<string, number>;
}

/** @param ids of the rows that can be linked to, in their order */
export function linksOf(ids: readonly string[], causes: readonly Cause[]): Links {
  return {
    rows: new Map(ids.map((id, index) => [id, index + 1])),
    causes: new Map(causes.map(({ type }, index) => [type, index + 1])),
  };
}

/** The attribute that links point to. */
export function rowMark({ rows }: Links, id: string): Markup | false {
  const row = rows.get(id);
  return row !== undefined && markup` id="r${row}"`;
}

/** A failure type, as a link to its remedy. */
export function typeLink({ causes }: Links, type: string): Markup {
  const number = causes.get(type);
  return number === undefined ? markup`${type}` : markup`<a href="#c${number}">${type}</a>`;
}

/** Failures by their cause, each with its remedy. */
export function causesSection({ causes, kind, state }: Report, links: Links): Markup {
  const what = kind === 'run' ? 'document' : 'operator';
  return section(
    state === 'goes on' ? 'What is wrong' : 'What went wrong',
    causes.map((cause) => article(cause, countOf(cause, what, state === 'goes on'), links)),
  );
}

function article(cause: Cause, count: string, links: Links): Markup {
  const { type, meaning, remedy, reasons, reasonsInAll } = cause;
  const told = reasons
    .filter(({ text, examples }) => text !== '' || examples.length > 0)
    .map((reason) => markup`<li>${reasonOf(reason, links)}</li>`);
  const more = reasonsInAll - reasons.length;
  return markup`<article class="cause" id="c${links.causes.get(type)}">
<h3>${type} <small>${count}</small></h3>
<p>${sentence(meaning)}</p>
<p><b>Remedy.</b> ${sentence(remedy)}</p>
${told.length > 0 && markup`<ul>${told}${more > 0 && markup`<li class="soft">and ${plural(more, 'more reason')}</li>`}</ul>`}
</article>`;
}

/** `3 documents failed, 1 document is tried again`. */
export function countOf({ failed, open, isOfAll, type }: Cause, what: string, goesOn: boolean): string {
  return [
    ...(isOfAll && failed + open === 0 ? [goesOn ? 'holds up all of it' : 'ended all of it'] : []),
    ...(failed > 0 ? [`${plural(failed, what)} ${type === 'GivenUp' ? 'given up' : 'failed'}`] : []),
    ...(open > 0 ? [`${plural(open, what)} in trouble, tried again`] : []),
  ].join(', ');
}

function reasonOf({ text, examples, count }: Cause['reasons'][number], { rows }: Links): Markup {
  const names = examples.map(({ id, name }) => {
    const row = rows.get(id);
    return row === undefined ? foreign(name) : markup`<a href="#r${row}">${foreign(name)}</a>`;
  });
  const more = count - examples.length;
  return markup`${text !== '' && foreign(text)}${
    names.length > 0 &&
    markup`${text !== '' && markup`<br>`}<small>${joined(names)}${more > 0 && ` and ${grouped(more)} more`}</small>`
  }`;
}
