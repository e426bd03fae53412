import { createHash } from 'node:crypto';
import type { HowFar } from '../../../rules/how-far';
import { grouped } from '../../../rules/page-name';
import type { Report } from '../../../inspection/report/model';
import { foreign, markup, type Markup, sentence } from './markup';
import { STYLE } from './style';
import { time, tookOf } from './words';

/** A file with this mark is a report, which a new report may replace. */
export const MARK = '<meta name="generator" content="republish report">';

/** The page can load nothing, and no script can run in it. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** A page in pieces: the page of a large run is never one text in memory. */
export function* page(report: Report, title: string, body: Iterable<Markup>): Generator<string> {
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
${MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
${markup`<title>${title}</title>`.source}
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
`;
  yield markup`<header><p><b>republish</b> report of a ${report.kind}</p><p>as of ${time(report.asOf)}</p></header>
<main>
`.source;
  for (const part of body) yield `${part.source}\n`;
  yield '</main>\n</body>\n</html>\n';
}

const SIGNS: Record<Report['verdict']['tone'], string> = { good: '✓', bad: '✕', warning: '!', calm: '…' };

/** The state or the end in one sentence, what to do, and the sum. */
export function verdictSection(who: Markup, { verdict }: Report, counts: Markup): Markup {
  const { tone, remedies, remarks } = verdict;
  const items = (texts: readonly string[]): Markup[] =>
    texts.map((text) => markup`<li>${sentence(text)}</li>`);
  return markup`<section>
<p class="who">${who}</p>
<h1><span class="${tone}" aria-hidden="true">${SIGNS[tone]}</span> ${foreign(verdict.sentence)}</h1>
${
  remedies.length > 0 &&
  markup`<div class="todo ${tone}"><h2>What to do</h2><${remedies.length > 1 ? ORDERED : PLAIN}>${items(remedies)}</${remedies.length > 1 ? ORDERED : PLAIN}></div>`
}
${counts}
${remarks.length > 0 && markup`<ul class="remarks">${items(remarks)}</ul>`}
</section>`;
}

const ORDERED = markup`ol`;
const PLAIN = markup`ul`;

export type Tone = 'good' | 'bad' | 'warning' | 'calm' | 'none';

export interface Share {
  name: string;
  count: number;
  tone: Tone;
}

/** A bar with its numbers below, and the percentage that is done, where there is one. */
export function bar(shares: readonly Share[], { percent }: HowFar): Markup {
  const told = shares.filter(({ count }) => count > 0);
  const all = told.reduce((sum, { count }) => sum + count, 0);
  let before = 0;
  const rects = told.map(({ count, tone }) => {
    const [x, width] = [before, count].map((part) => ((part * 100) / all).toFixed(3));
    before += count;
    return markup`<rect class="${tone}" x="${x}%" width="${width}%" height="100%"/>`;
  });
  if (told.length === 0) return markup``;
  return markup`<svg class="bar" aria-hidden="true">${rects}</svg>
<ul class="counts">${percent !== undefined && markup`<li><b>${percent} %</b></li>`}${told.map(
    ({ name, count, tone }) => markup`<li><b class="${tone}">${grouped(count)}</b> ${name}</li>`,
  )}</ul>`;
}

export function section(title: string, content: Markup | Markup[]): Markup {
  return markup`<section><h2>${title}</h2>
${content}
</section>`;
}

/** Names and values. Unknown values are left out. */
export function facts(rows: readonly (readonly [name: string, value: Markup | string | null])[]): Markup {
  return markup`<dl>${rows.map(([name, value]) => value !== null && markup`<dt>${name}</dt><dd>${value}</dd>\n`)}</dl>`;
}

/**
 * A table that scrolls on a narrow screen. Columns with `#` before their names are numbers.
 */
export function table(
  head: readonly string[],
  rows: readonly (Markup | string)[][],
  foot?: (Markup | string)[],
): Markup {
  const numbers = head.map((name) => name.startsWith('#'));
  const cells = (row: readonly (Markup | string)[]): Markup[] =>
    row.map((cell, index) =>
      numbers[index] ? markup`<td class="n">${cell}</td>` : markup`<td>${cell}</td>`,
    );
  return markup`<div class="scroll"><table><thead><tr>${head.map((name, index) =>
    numbers[index]
      ? markup`<th scope="col" class="n">${name.slice(1)}</th>`
      : markup`<th scope="col">${name}</th>`,
  )}</tr></thead>
<tbody>${rows.map((row) => markup`<tr>${cells(row)}</tr>\n`)}</tbody>${foot && markup`<tfoot><tr>${cells(foot)}</tr></tfoot>`}</table></div>`;
}

/** The controls that people sent, oldest first. */
export function interventionsSection({ interventions }: Report): Markup {
  const rows = interventions.map(({ action, at, by, reason, documentType, machineId }) => [
    time(at),
    markup`<b>${action}</b>${documentType !== undefined && markup` ${foreign(documentType)}`}${
      machineId !== undefined && markup` of machine ${foreign(machineId)}`
    }`,
    by === undefined ? 'somebody' : foreign(by),
    reason === undefined ? '' : foreign(reason),
  ]);
  return section('Who intervened', table(['when', 'what', 'who', 'why'], rows));
}

/** The audit head, to check the chain of the audit later. A kept page keeps the head. */
export function auditFact({ auditRow }: Report): readonly [string, Markup | null] {
  return [
    'Audit',
    auditRow && markup`row ${grouped(auditRow.position)}, head <code class="id">${auditRow.hash}</code>`,
  ];
}

/** When it began and ended, and how long it took. */
export function timesOf({
  startedAt,
  endedAt,
  asOf,
  state,
}: Report): (readonly [string, Markup | string | null])[] {
  const until = endedAt ?? (state === 'goes on' ? asOf : null);
  return [
    ['Started', startedAt === null ? null : time(startedAt)],
    ['Ended', endedAt === null ? null : time(endedAt)],
    [
      endedAt === null ? 'Running for' : 'Took',
      startedAt === null || until === null ? null : tookOf(Date.parse(until) - Date.parse(startedAt)),
    ],
  ];
}
