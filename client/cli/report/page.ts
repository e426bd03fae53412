import { createHash } from 'node:crypto';
import type { HowFar } from '../../../contract/how-far';
import type { Cause, Report } from '../../../inspection/report/model';
import { npub } from '../../../nostr/keys';
import { duration } from '../run-view/rate';
import { foreign, html, type Html, sentence } from './markup';
import { STYLE } from './style';

/** By this a file is known that a new report may take the place of. */
export const MARK = '<meta name="generator" content="republish report">';

/** Nothing in the page may ask anybody for anything, and no script can run in it. */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** A whole page, piece by piece: that of a large run is never in memory as one text. */
export function* page(report: Report, title: string, body: Iterable<Html>): Generator<string> {
  yield `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
${MARK}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
${html`<title>${title}</title>`.source}
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
`;
  const kind = report.kind === 'run' ? 'Report of a run' : 'Report of a fleet';
  yield html`<header>
      <p><b>republish</b> · ${kind}</p>
      <p>as of ${time(report.asOf)}</p>
    </header>
    <main></main> `.source;
  for (const part of body) yield `${part.source}\n`;
  yield '</main>\n</body>\n</html>\n';
}

const SIGNS: Record<Report['verdict']['tone'], string> = { good: '✓', bad: '✕', warning: '!', calm: '…' };

/** How it ended or stands in one sentence, what to do about it, and what it comes to. */
export function verdictSection(who: Html, { verdict }: Report, counts: Html): Html {
  const { tone, remedies, remarks } = verdict;
  const todo = html`<div class="todo ${tone}">
    <h2>What to do</h2>
    <ol>
      ${remedies.map((text) => html`<li>${sentence(text)}</li>`)}
    </ol>
  </div>`;
  return html`<section>
    <p class="who">${who}</p>
    <h1><span class="${tone}" aria-hidden="true">${SIGNS[tone]}</span> ${foreign(verdict.sentence)}</h1>
    ${remedies.length > 0 && todo} ${counts}
    ${
      remarks.length > 0 &&
      html`<ul class="remarks">
        ${remarks.map((text) => html`<li>${sentence(text)}</li>`)}
      </ul>`
    }
  </section>`;
}

export interface Share {
  name: string;
  count: number;
  tone: 'good' | 'bad' | 'warning' | 'calm' | 'none';
}

/** A bar of what there is, with its numbers below. What stands is told in per cent, where that says something. */
export function bar(shares: readonly Share[], { percent }: HowFar): Html {
  const told = shares.filter(({ count }) => count > 0);
  const all = told.reduce((sum, { count }) => sum + count, 0);
  let at = 0;
  const rects = told.map(({ count, tone }) => {
    const [x, width] = [(at * 100) / all, (count * 100) / all];
    at += count;
    return html`<rect
      class="${tone}"
      x="${x.toFixed(3)}%"
      y="0"
      width="${width.toFixed(3)}%"
      height="100%"
    />`;
  });
  if (told.length === 0) return html``;
  return html`<svg class="bar" aria-hidden="true">${rects}</svg>
    <ul class="counts">
      ${percent !== undefined && html`<li><b>${percent} %</b></li>`}${told.map(
        ({ name, count, tone }) => html`<li><b class="${tone}">${grouped(count)}</b> ${name}</li>`,
      )}
    </ul>`;
}

export function section(
  title: string,
  content: Html | Html[],
  id?: 'causes' | 'machines' | 'operators',
): Html {
  return html`<section${id !== undefined && html` id="${id}"`}><h2>${title}</h2>
${content}
</section>`;
}

/** Names and what belongs to them; what is not known is left out. */
export function facts(rows: readonly (readonly [name: string, value: Html | string | null])[]): Html {
  return html`<dl>
    ${rows.map(
      ([name, value]) =>
        value !== null &&
        html`<dt>${name}</dt>
          <dd>${value}</dd> `,
    )}
  </dl>`;
}

/** Failures by their cause, each with its remedy. */
export function causesSection(
  causes: readonly Cause[],
  what: 'document' | 'operator',
  rows: ReadonlyMap<string, number>,
): Html {
  const articles = causes.map((cause, index) => causeArticle(cause, index, { what, rows }));
  return section('What went wrong', articles, 'causes');
}

interface Suffering {
  what: 'document' | 'operator';
  /** The row of a machine or of an operator, to be linked to, by its id. */
  rows: ReadonlyMap<string, number>;
}

function causeArticle(cause: Cause, index: number, { what, rows }: Suffering): Html {
  const { type, meaning, remedy, failed, open, reasons, reasonsInAll } = cause;
  const counts = [
    ...(failed > 0 ? [`${plural(failed, what)} failed`] : []),
    ...(open > 0 ? [`${plural(open, what)} being tried again`] : []),
  ].join(', ');
  const told = reasons.filter(({ text, examples }) => text !== '' || examples.length > 0);
  return html`<article class="cause" id="c${index + 1}">
    <h3>${type} <small>${counts}</small></h3>
    <p>${sentence(meaning)}</p>
    <p><b>Remedy:</b> ${sentence(remedy)}</p>
    ${
      told.length > 0 &&
      html`<ul>
        ${told.map(
          ({ text, count, examples }) =>
            html`<li>
              ${foreign(text)}${
                examples.length > 0 &&
                html` <small>${text !== '' && '– '}${examplesOf(examples, count, rows)}</small>`
              }
            </li>`,
        )}${reasonsInAll > reasons.length && html`<li class="soft">and ${grouped(reasonsInAll - reasons.length)} more reasons</li>`}
      </ul>`
    }
  </article>`;
}

function examplesOf(
  examples: Cause['reasons'][number]['examples'],
  count: number,
  rows: Suffering['rows'],
): Html {
  const more = count - examples.length;
  const names = examples.map(({ id, name }, index) => {
    const row = rows.get(id);
    const linked = row === undefined ? foreign(name) : html`<a href="#r${row}">${foreign(name)}</a>`;
    return html`${index > 0 && ', '}${linked}`;
  });
  return html`${names}${more > 0 && ` and ${grouped(more)} more`}`;
}

/** What people asked of it, in that order. */
export function interventionsSection({ interventions }: Report): Html {
  const rows = interventions.map(
    ({ action, at, by, reason, documentType, machineId }) =>
      html`<tr>
        <td>${time(at)}</td>
        <td>
          ${action}${
            documentType !== undefined && html` <small>${foreign(documentType)}</small>`
          }${machineId !== undefined && html` <small>machine ${foreign(machineId)}</small>`}
        </td>
        <td>${by === undefined ? 'somebody' : foreign(by)}</td>
        <td>${reason !== undefined && foreign(reason)}</td>
      </tr> `,
  );
  return section(
    'Who intervened',
    html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>when</th>
            <th>what</th>
            <th>who</th>
            <th>why</th>
          </tr>
        </thead>
        <tbody>
          ${rows}
        </tbody>
      </table>
    </div>`,
  );
}

/** When it began and ended, and how long it took. */
export function timesOf({ startedAt, endedAt, asOf, state }: Report): (readonly [string, Html | null])[] {
  const until = endedAt ?? (state === 'goes on' ? asOf : null);
  const took =
    startedAt === null || until === null
      ? null
      : html`${duration((Date.parse(until) - Date.parse(startedAt)) / 1_000)}`;
  return [
    ['Started', startedAt === null ? null : time(startedAt)],
    ['Ended', endedAt === null ? null : time(endedAt)],
    [endedAt === null ? 'Since then' : 'Took', took],
  ];
}

export function time(at: string): Html {
  return html`<time datetime="${at}">${at.slice(0, 10)} ${at.slice(11, 19)} UTC</time>`;
}

/** A public key as people and as machines write it. */
export function key(pubkey: string): Html {
  return html`<code class="id">${npub(pubkey)}</code><br /><small>hex</small>
    <code class="id">${pubkey}</code>`;
}

export function id(text: string): Html {
  return html`<code class="id"><bdi>${text}</bdi></code>`;
}

export function plural(count: number, what: string): string {
  return `${grouped(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** `10,000`, the same wherever it runs. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}
