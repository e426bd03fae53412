import { NO_STATE } from '../../../rules/plan';
import { grouped } from '../../../rules/page-name';
import { isGood } from '../../../contract/progress';
import {
  GRADES,
  type MachineDocument,
  type MachineReport,
  type RunReport,
} from '../../../inspection/report/model';
import { nevent } from '../../../nostr/keys';
import { type Links, rowMark, typeLink } from './causes';
import { listed } from './groups';
import { foreign, markup, type Markup } from './markup';
import { section, table, type Tone } from './page';
import { id, plural, time } from './words';

/** With at most so many machines, all rows are open. */
const MAX_OPEN_MACHINES = 50;
/**
 * With at most so many documents, each has its times, its nevent and the words of each relay. With more, the
 * page would be too large.
 */
const MAX_DETAILED_DOCUMENTS = 500;
/** At most so many messages stand next to their documents. The causes have the others. */
const MAX_MESSAGES = 500;

/** How an outcome is shown: colour, sign and word, and what it means. */
export const OUTCOMES = {
  published: { sign: '✓', tone: 'good', means: 'signed in this run, and stands' },
  unchanged: { sign: '=', tone: 'good', means: 'stood already as it should' },
  superseded: { sign: '↑', tone: 'good', means: 'a newer one of somebody else stands' },
  skipped: { sign: '–', tone: 'none', means: 'nothing to publish, or given up' },
  failed: { sign: '✕', tone: 'bad', means: 'does not stand' },
  open: { sign: '…', tone: 'calm', means: 'not done yet' },
} as const satisfies Record<string, { sign: string; tone: Tone; means: string }>;

type Told = keyof typeof OUTCOMES;

export const TOLD = Object.keys(OUTCOMES) as Told[];

const TITLES: Record<MachineReport['grade'], string> = {
  wrong: 'with something wrong',
  open: 'not done yet',
  good: 'in order',
  nothing: 'with nothing to publish',
};

/**
 * Machines by document types. Rows with trouble are on top and open. Rows in order come after them, and are
 * closed where there are many.
 */
export function* machinesSection(report: RunReport, links: Links): Generator<Markup> {
  const { machines, documentTypes, counts } = report;
  const cells = new Cells(report, links);
  const signs = TOLD.filter((told) => counts[told] > 0).map((told) => {
    const { sign, tone, means } = OUTCOMES[told];
    return markup`<li><b class="${tone}">${sign} ${told}</b> ${means}</li>`;
  });
  yield markup`<section><h2>Machines</h2>
<ul class="signs">${signs}<li>3 of 4: so many relays hold it, of those that were asked</li></ul>`;
  for (const grade of GRADES) {
    const rows = machines.filter((machine) => machine.grade === grade);
    yield* listed({
      title: `${plural(rows.length, 'machine')} ${TITLES[grade]}`,
      rows,
      isOpen: grade === 'wrong' || machines.length <= MAX_OPEN_MACHINES,
      head: ['machine', ...documentTypes.map(foreign)],
      nameOf: ({ machineName, machineId }) => foreign(machineName || machineId),
      row: (machine) => cells.row(machine),
    });
  }
  yield markup`</section>`;
}

/** The details of each document, as long as there is room. */
class Cells {
  #messages = 0;
  readonly #isDetailed: boolean;
  readonly #day: string;

  constructor(
    private readonly report: RunReport,
    private readonly links: Links,
  ) {
    const { machines, startedAt, asOf } = report;
    const documents = machines.reduce((sum, machine) => sum + machine.documents.length, 0);
    this.#isDetailed = documents <= MAX_DETAILED_DOCUMENTS;
    this.#day = (startedAt ?? asOf).slice(0, 10);
  }

  /** Without the end tags and quotes that HTML does not need: a page can have ten thousand rows. */
  row({ machineId, machineName, documents }: MachineReport): Markup {
    const hasName = machineName !== '' && machineName !== machineId;
    return markup`<tr${rowMark(this.links, machineId)}><th scope="row">${
      hasName && markup`<b>${foreign(machineName)}</b>`
    }<code><bdi>${machineId}</bdi></code>${this.report.documentTypes.map((type) => {
      const document = documents.find(({ documentType }) => documentType === type);
      return document === undefined ? markup`<td>` : this.#cell(document);
    })}`;
  }

  #cell(document: MachineDocument): Markup {
    const { documentType, outcome, settledAt, sealedAt, signedAt, sentAt } = document;
    const told = outcome ?? 'open';
    const { sign, tone } = OUTCOMES[told];
    const at = outcome === null ? (sentAt ?? signedAt ?? sealedAt) : settledAt;
    return markup`<td><i>${documentType}</i><b class=${tone}>${sign} ${told}</b>${
      at !== null && markup` <time>${this.#clock(at)}</time>`
    }${this.#why(document)}${this.#event(document)}`;
  }

  /** Why it does not stand, or what it waits for. */
  #why(document: MachineDocument): Markup | false {
    const { outcome, failureType, failureMessage, waitsFor } = document;
    if (isGood(outcome)) return false;
    if (failureType === null) {
      if (outcome === 'skipped') return markup`<p>${foreign(failureMessage ?? NO_STATE)}</p>`;
      return markup`<p>${waitsFor === null ? stageOf(document) : markup`waits for ${foreign(waitsFor)}`}</p>`;
    }
    this.#messages += 1;
    return markup`<p>${typeLink(this.links, failureType)}${
      failureMessage !== null && this.#messages <= MAX_MESSAGES && markup`: ${foreign(failureMessage)}`
    }</p>`;
  }

  #event(document: MachineDocument): Markup | false {
    const { eventId } = document;
    if (eventId === null) return false;
    if (!this.#isDetailed) return markup` ${holding(document)} <code class=e>${eventId}</code>`;
    return markup`<details class="more"><summary>${holding(document)} <code class="id cut">${eventId}</code></summary>${this.#details(document, eventId)}</details>`;
  }

  #details(document: MachineDocument, eventId: string): Markup {
    const { sealedAt, signedAt, sentAt, settledAt, outcome, reused, supersededBy } = document;
    const { now } = this.report.keys;
    const rows: [string, Markup | string | false][] = [
      ['event', id(eventId)],
      ['nevent', now !== null && id(nevent(eventId, now))],
      ['newer', supersededBy !== null && id(supersededBy)],
      ['sealed', sealedAt !== null && time(sealedAt)],
      ['signed', signedAt !== null && markup`${time(signedAt)}${reused && ', by an earlier run'}`],
      ['sent', sentAt !== null && time(sentAt)],
      [isGood(outcome) ? 'stands' : 'ended', settledAt !== null && time(settledAt)],
      ...Object.entries(document.relays).map(([relay, { state, detail }]): [string, Markup] => [
        state,
        markup`${foreign(relay)}${detail !== undefined && markup`<br>${foreign(detail)}`}`,
      ]),
    ];
    return markup`<dl>${rows.map(([name, value]) => value !== false && markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
  }

  /** The hour, with the day where it is another one. */
  #clock(at: string): string {
    return at.startsWith(this.#day) ? at.slice(11, 19) : `${at.slice(0, 10)} ${at.slice(11, 19)}`;
  }
}

/** `3 of 3`: the relays that have shown it, of those that were asked. */
function holding({ relays }: MachineDocument): string {
  const states = Object.values(relays);
  if (states.length === 0) return 'event';
  return `${states.filter(({ state }) => state === 'holds').length} of ${states.length}`;
}

/** The stage of an open document. */
function stageOf({ eventId, signedAt, sentAt }: MachineDocument): string {
  if (sentAt !== null) return 'sent, to be read back';
  if (signedAt !== null) return 'signed, to be sent';
  return eventId === null ? 'not begun' : 'encrypted, to be signed';
}

/** Documents by type and outcome. */
export function typesSection({ byType, counts }: RunReport): Markup {
  const columns = TOLD.filter((told) => told === 'published' || counts[told] > 0);
  const row = (name: Markup | string, of: RunReport['counts']): (Markup | string)[] => [
    name,
    grouped(of.planned),
    ...columns.map((told) =>
      of[told] > 0 ? markup`<b class="${OUTCOMES[told].tone}">${grouped(of[told])}</b>` : '0',
    ),
  ];
  return section(
    'Document types',
    table(
      ['document type', '#to stand', ...columns.map((told) => `#${OUTCOMES[told].sign} ${told}`)],
      Object.entries(byType).map(([type, of]) => row(foreign(type), of)),
      row('all', counts),
    ),
  );
}
