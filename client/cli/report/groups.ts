import { grouped } from '../../../rules/page-name';
import { markup, type Markup } from './markup';

/**
 * Rows of one group. The browser lays out the first group; the others are closed until a click or a search.
 */
const GROUP = 200;

export interface Listed<T> {
  title: string;
  rows: readonly T[];
  isOpen: boolean;
  head: readonly (Markup | string)[];
  nameOf(row: T): Markup;
  row(row: T): Markup;
}

/** A list that stays usable with any number of rows. */
export function* listed<T>({ title, rows, isOpen, head, nameOf, row }: Listed<T>): Generator<Markup> {
  if (rows.length === 0) return;
  const open = (isIt: boolean): Markup | false => isIt && markup` open`;
  yield markup`<details${open(isOpen)}><summary><b>${title}</b></summary>`;
  for (let begin = 0; begin < rows.length; begin += GROUP) {
    const group = rows.slice(begin, begin + GROUP);
    const [first, last] = [group[0], group.at(-1)];
    const isAlone = rows.length <= GROUP;
    if (!isAlone && first !== undefined && last !== undefined)
      yield markup`<details${open(isOpen && begin === 0)}><summary>${grouped(begin + 1)} to ${grouped(begin + group.length)} <small>${nameOf(first)} to ${nameOf(last)}</small></summary>`;
    yield markup`<table class="grid"><thead><tr>${head.map((name) => markup`<th scope="col">${name}</th>`)}</tr></thead>`;
    for (const each of group) yield row(each);
    yield markup`</table>${!isAlone && markup`</details>`}`;
  }
  yield markup`</details>`;
}
