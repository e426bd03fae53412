import { isGood } from '../../../contract/progress';
import { nevent } from '../../../nostr/keys';
import type { Grade, MachineDocument, MachineReport, RunReport } from '../../../inspection/report/model';
import { GRADES } from '../../../inspection/report/model';
import { foreign, html, type Html } from './markup';
import { grouped, id, plural, section, type Share, time } from './page';

/** So many machines are laid out at once; the others wait in groups that are closed. */
const GROUP = 200;
/** Up to here a page shows all of it at once. */
const MAX_OPEN_MACHINES = 50;
/** Up to here each document has its times, its nevent and each relay's words; with more the page would be too large. */
const MAX_DETAILED_DOCUMENTS = 500;
/** A message is told in full this often; after that its cause has it. */
const MAX_MESSAGES = 300;

type Told = keyof typeof OUTCOMES;

/** How an outcome is shown: colour, sign and word. */
export const OUTCOMES = {
  published: { sign: '✓', tone: 'good' },
  unchanged: { sign: '=', tone: 'good' },
  superseded: { sign: '↑', tone: 'good' },
  skipped: { sign: '–', tone: 'none' },
  failed: { sign: '✕', tone: 'bad' },
  open: { sign: '…', tone: 'calm' },
} as const satisfies Record<string, { sign: string; tone: Share['tone'] }>;

const MEANINGS: Record<Told, string> = {
  published: 'signed in this run, and stands',
  unchanged: 'stood already as it should',
  superseded: 'a newer one of somebody else stands',
  skipped: 'nothing to publish, or given up',
  failed: 'does not stand',
  open: 'not done yet',
};

const TITLES: Record<Grade, (machines: string, many: boolean) => string> = {
  wrong: (machines) => `${machines} with something wrong`,
  open: (machines) => `${machines} not done yet`,
  good: (machines) => `${machines} in order`,
  nothing: (machines) => `${machines} with nothing to publish`,
};

/** The grid of machines and document types: what is wrong on top and open, what is in order in groups that are closed. */
export function* machinesSection(report: RunReport): Generator<Html> {
  const { machines, documentTypes } = report;
  const cells = new Cells(report);
  yield html`<section id="machines">
    <h2>Machines</h2>
    <ul class="signs">
      ${cells.outcomes.map(
        (told) =>
          html`<li>
            <b class="${OUTCOMES[told].tone}">${OUTCOMES[told].sign}</b> ${told}: ${MEANINGS[told]}
          </li>`,
      )}
    </ul>
  </section>`;
  for (const grade of GRADES) {
    const ofGrade = machines.filter((machine) => machine.grade === grade);
    if (ofGrade.length === 0) continue;
    const isOpen = grade === 'wrong' || machines.length <= MAX_OPEN_MACHINES;
    const title = TITLES[grade](plural(ofGrade.length, 'machine'), ofGrade.length > 1);
    yield html`<details${isOpen && html` open`}
      ><summary>${title}</summary></details${isOpen && html` open`}
    >`;
    for (let begin = 0; begin < ofGrade.length; begin += GROUP) {
      const group = ofGrade.slice(begin, begin + GROUP);
      const isAlone = ofGrade.length <= GROUP;
      if (!isAlone)
        yield html`<details${isOpen && begin === 0 && html` open`}
          ><summary>
            ${grouped(begin + 1)} to ${grouped(begin + group.length)}
            <small>${nameOf(group[0])} to ${nameOf(group.at(-1))}</small>
          </summary></details${isOpen && begin === 0 && html` open`}
        >`;
      yield headOf(documentTypes);
      for (const machine of group) yield cells.row(machine, documentTypes);
      yield html`</table>${!isAlone && html`</details>`}`;
    }
    yield html`</details>`;
  }
  yield html`</section>`;
}

/** Rows that are linked to, by machine: those with something wrong. */
export function rowsOf(machines: readonly MachineReport[]): Map<string, number> {
  const wrong = machines.filter(({ grade }) => grade === 'wrong');
  return new Map(wrong.map(({ machineId }, index) => [machineId, index + 1]));
}

function nameOf(machine: MachineReport | undefined): Html {
  return foreign(machine === undefined ? '' : machine.machineName || machine.machineId);
}

function headOf(documentTypes: readonly string[]): Html {
  return html`<table class="grid">
    <thead>
      <tr>
        <th scope="col">machine</th>
        ${documentTypes.map((type) => html`<th scope="col">${foreign(type)}</th>`)}
      </tr>
    </thead>
  </table>`;
}

/** What is said of each document, as long as there is room. */
class Cells {
  #messages = 0;
  readonly #isDetailed: boolean;
  readonly #relays: number;
  readonly #day: string;
  readonly #pubkey: string | null;
  readonly #causes: Map<string, number>;
  readonly #rows: Map<string, number>;

  constructor(private readonly report: RunReport) {
    const { machines, relays, startedAt, asOf, keys, causes } = report;
    const documents = machines.reduce((sum, machine) => sum + machine.documents.length, 0);
    this.#isDetailed = documents <= MAX_DETAILED_DOCUMENTS;
    this.#relays = relays.length;
    this.#day = (startedAt ?? asOf).slice(0, 10);
    this.#pubkey = keys.now;
    this.#rows = rowsOf(machines);
    this.#causes = new Map(causes.map(({ type }, index) => [type, index + 1]));
  }

  /** Those that there are, for the explanation of the signs. */
  get outcomes(): Told[] {
    const there = new Set(
      this.report.machines.flatMap(({ documents }) => documents.map(({ outcome }) => outcome ?? 'open')),
    );
    return (Object.keys(OUTCOMES) as Told[]).filter((told) => there.has(told));
  }

  row({ machineId, machineName, documents }: MachineReport, documentTypes: readonly string[]): Html {
    const hasName = machineName !== '' && machineName !== machineId;
    const cells = documentTypes.map((type) => {
      const document = documents.find((each) => each.documentType === type);
      return document === undefined ? html`<td></td>` : this.#cell(document);
    });
    const row = this.#rows.get(machineId);
    return html`<tr${row !== undefined && html` id="r${row}"`}
      ><th scope="row">
        ${hasName && html`<b>${foreign(machineName)}</b>`}<code><bdi>${machineId}</bdi></code
        >${cells}
      </th></tr${row !== undefined && html` id="r${row}"`}
    > `;
  }

  #cell(document: MachineDocument): Html {
    const { documentType, outcome, eventId, settledAt } = document;
    const told = outcome ?? 'open';
    const { sign, tone } = OUTCOMES[told];
    const at = outcome === null ? latestOf(document) : settledAt;
    return html`<td>
      <i>${foreign(documentType)}</i><b class="${tone}">${sign} ${told}</b>${
        at !== null && html` <time>${this.#clock(at)}</time>`
      }${this.#why(document)}${
        this.#isDetailed
          ? this.#details(document)
          : eventId !== null &&
            html` <small>${this.#holding(document)}</small> <code class="id cut">${eventId}</code>`
      }
    </td>`;
  }

  /** Why it does not stand, or what it waits for. */
  #why(document: MachineDocument): Html | false {
    const { outcome, failureType, failureMessage, waitsFor } = document;
    if (isGood(outcome)) return false;
    if (outcome === 'skipped') return html`<p>${foreign(failureMessage ?? 'has no state')}</p>`;
    if (failureType === null)
      return html`<p>${waitsFor === null ? stageOf(document) : foreign(`waits for ${waitsFor}`)}</p>`;
    const number = this.#causes.get(failureType);
    const link = number === undefined ? html`${failureType}` : html`<a href="#c${number}">${failureType}</a>`;
    this.#messages += 1;
    return html`<p>
      ${link}${
        failureMessage !== null && this.#messages <= MAX_MESSAGES && html`: ${foreign(failureMessage)}`
      }
    </p>`;
  }

  #details(document: MachineDocument): Html | false {
    const { eventId, sealedAt, signedAt, sentAt, settledAt, outcome, reused, supersededBy } = document;
    if (eventId === null) return false;
    const rows: [string, Html | string | false][] = [
      ['event', id(eventId)],
      ['nevent', this.#pubkey !== null && id(nevent(eventId, this.#pubkey))],
      ['newer', supersededBy !== null && id(supersededBy)],
      ['sealed', sealedAt !== null && time(sealedAt)],
      ['signed', signedAt !== null && html`${time(signedAt)}${reused && ' by an earlier run'}`],
      ['sent', sentAt !== null && time(sentAt)],
      [isGood(outcome) ? 'stands' : 'ended', settledAt !== null && time(settledAt)],
      ...Object.entries(document.relays).map(([relay, { state, detail }]): [string, Html] => [
        state,
        html`${foreign(relay)}${detail !== undefined && html` <small>${foreign(detail)}</small>`}`,
      ]),
    ];
    return html`<details class="more">
      <summary>${this.#holding(document)} <code class="id cut">${eventId}</code></summary>
      <dl>
        ${rows.map(
          ([name, value]) =>
            value !== false &&
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>
    </details>`;
  }

  /** `3 of 3`. */
  #holding({ relays, eventId }: MachineDocument): string {
    if (eventId === null || this.#relays === 0) return '';
    const states = Object.values(relays);
    if (states.length === 0) return '';
    return `on ${states.filter(({ state }) => state === 'holds').length} of ${states.length}`;
  }

  /** The hour, with the day where it is another one. */
  #clock(at: string): string {
    return at.startsWith(this.#day) ? at.slice(11, 19) : `${at.slice(0, 10)} ${at.slice(11, 19)}`;
  }
}

function latestOf({ sealedAt, signedAt, sentAt }: MachineDocument): string | null {
  return sentAt ?? signedAt ?? sealedAt;
}

/** How far an open document is. */
function stageOf({ eventId, signedAt, sentAt }: MachineDocument): string {
  if (sentAt !== null) return 'sent, to be read back';
  if (signedAt !== null) return 'signed, to be sent';
  return eventId === null ? 'not begun' : 'encrypted, to be signed';
}

/** Documents by type, where there is more than one. */
export function typesSection({ byType, counts }: RunReport): Html {
  const columns = (Object.keys(OUTCOMES) as Told[]).filter(
    (told) => told === 'published' || counts[told] > 0,
  );
  const cells = (of: RunReport['counts']): Html[] =>
    columns.map(
      (told) =>
        html`<td class="n">
          ${of[told] > 0 ? html`<b class="${OUTCOMES[told].tone}">${grouped(of[told])}</b>` : '0'}
        </td>`,
    );
  return section(
    'Document types',
    html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>document type</th>
            <th class="n">to stand</th>
            ${columns.map((told) => html`<th class="n">${OUTCOMES[told].sign} ${told}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${Object.entries(byType).map(
            ([type, of]) =>
              html`<tr>
                <td>${foreign(type)}</td>
                <td class="n">${grouped(of.planned)}</td>
                ${cells(of)}
              </tr> `,
          )}
        </tbody>
        <tfoot>
          <tr>
            <th>all</th>
            <td class="n">${grouped(counts.planned)}</td>
            ${cells(counts)}
          </tr>
        </tfoot>
      </table>
    </div>`,
  );
}
