import type { Cause, FleetReport, OperatorReport } from '../../../inspection/report/model';
import { npub } from '../../../nostr/keys';
import { foreign, html, type Html } from './markup';
import {
  bar,
  causesSection,
  facts,
  grouped,
  id,
  interventionsSection,
  page,
  plural,
  section,
  type Share,
  timesOf,
  verdictSection,
} from './page';

/** So many operators are laid out at once; the others wait in groups that are closed. */
const GROUP = 200;
const MAX_OPEN_OPERATORS = 50;
/** A page of twenty thousand operators has room for so many with their failed documents. */
const MAX_WITH_DOCUMENTS = 1_000;
const MAX_MESSAGE_LENGTH = 300;

type State = OperatorReport['state'];

/** How an operator's end is shown: colour, sign and word. */
const STATES = {
  failed: { sign: '✕', tone: 'bad' },
  incomplete: { sign: '✕', tone: 'bad' },
  cancelled: { sign: '!', tone: 'warning' },
  'in work': { sign: '…', tone: 'calm' },
  waiting: { sign: '·', tone: 'none' },
  complete: { sign: '✓', tone: 'good' },
} as const satisfies Record<State, { sign: string; tone: Share['tone'] }>;

const TITLES: Record<State, string> = {
  failed: 'whose run failed',
  incomplete: 'with documents that do not stand',
  cancelled: 'whose run was cancelled',
  'in work': 'in work',
  waiting: 'not begun',
  complete: 'complete',
};

/** The page of a fleet. */
export function fleetPage(report: FleetReport): Generator<string> {
  return page(report, `Fleet: ${report.verdict.sentence}`, parts(report));
}

function* parts(report: FleetReport): Generator<Html> {
  const { counts, causes, interventions, operators, howFar } = report;
  const shares: Share[] = [
    { name: 'complete', count: counts.complete, tone: 'good' },
    { name: 'incomplete', count: counts.incomplete, tone: 'bad' },
    { name: 'failed', count: counts.failed, tone: 'bad' },
    { name: 'cancelled', count: counts.cancelled, tone: 'warning' },
    { name: 'in work', count: counts.inWork, tone: 'calm' },
    { name: 'not begun', count: counts.waiting, tone: 'none' },
  ];
  yield verdictSection(
    html`Fleet of <b>${plural(counts.planned, 'operator')}</b>`,
    report,
    bar(shares, howFar),
  );
  yield html`<div class="pair">
    <div>${asked(report)}</div>
    <div>${theFleet(report)}</div>
  </div>`;
  if (causes.length > 0) yield causesSection(causes, 'operator', rowsOf(operators));
  if (interventions.length > 0) yield interventionsSection(report);
  if (operators.length > 0) yield* operatorsSection(report);
  yield html`<footer>
    <p>
      From the ledger and the
      audits${report.state === 'goes on' && ', and from Temporal, as it stood at the time above'}. Each
      operator has a report of their own: republish report &lt;run&gt; --html FILE.
    </p>
    <p>
      Workflow <bdi>${report.workflowId}</bdi>. The same for programs: republish fleet audit
      <bdi>${report.runId}</bdi> --json. No secret and no state of a machine is in this page.
    </p>
  </footer>`;
}

function asked({ request, counts }: FleetReport): Html {
  return section(
    'What was asked',
    facts([
      ['Operators', `${grouped(counts.planned)}${request?.all ? ' (all)' : ''}`],
      [
        'Document types',
        request?.documentTypes
          ? html`${request.documentTypes.map((type, index) => html`${index > 0 && ', '}${foreign(type)}`)}`
          : 'all',
      ],
      ['Runs at once', request?.operatorsAtOnce === undefined ? null : grouped(request.operatorsAtOnce)],
      ['What is unchanged', request?.force ? 'signed anew' : 'left alone'],
      ['What fails', request?.onFailure === 'hold' ? 'waits for retry or skip' : 'is reported at the end'],
      ['Reason', request?.reason ? foreign(request.reason) : null],
    ]),
  );
}

function theFleet(report: FleetReport): Html {
  const { runId, documents } = report;
  const standing = documents.published + documents.unchanged + documents.superseded;
  return section(
    'The fleet',
    facts([
      ['Fleet', id(runId)],
      ...timesOf(report),
      [
        'Documents',
        `${grouped(standing)} of ${grouped(documents.planned)} stand, of the runs that have ended`,
      ],
    ]),
  );
}

/** Who is not complete on top and open, whoever is complete in groups that are closed. */
function* operatorsSection({ operators, causes }: FleetReport): Generator<Html> {
  const rows = rowsOf(operators);
  const numbers = new Map(causes.map(({ type }, index) => [type, index + 1]));
  let told = 0;
  yield html`<section id="operators"><h2>Operators</h2></section>`;
  for (const state of Object.keys(STATES) as State[]) {
    const ofState = operators.filter((operator) => operator.state === state);
    if (ofState.length === 0) continue;
    const isOpen = isWrong(state) || operators.length <= MAX_OPEN_OPERATORS;
    yield html`<details${isOpen && html` open`}
      ><summary>
        ${plural(ofState.length, 'operator')} ${TITLES[state]}
      </summary></details${isOpen && html` open`}
    >`;
    for (let begin = 0; begin < ofState.length; begin += GROUP) {
      const group = ofState.slice(begin, begin + GROUP);
      const isAlone = ofState.length <= GROUP;
      if (!isAlone)
        yield html`<details${isOpen && begin === 0 && html` open`}
          ><summary>
            ${grouped(begin + 1)} to ${grouped(begin + group.length)}
            <small
              >${foreign(group[0]?.operatorUserId ?? '')} to
              ${foreign(group.at(-1)?.operatorUserId ?? '')}</small
            >
          </summary></details${isOpen && begin === 0 && html` open`}
        >`;
      yield html`<table class="grid">
        <thead>
          <tr>
            <th scope="col">operator</th>
            <th scope="col">outcome</th>
            <th scope="col">documents</th>
          </tr>
        </thead>
      </table>`;
      for (const operator of group) {
        told += 1;
        yield row(operator, {
          row: rows.get(operator.operatorUserId),
          causes: numbers,
          withDocuments: told <= MAX_WITH_DOCUMENTS,
        });
      }
      yield html`</table>${!isAlone && html`</details>`}`;
    }
    yield html`</details>`;
  }
  yield html`</section>`;
}

/** Rows that are linked to, by operator. */
function rowsOf(operators: readonly OperatorReport[]): Map<string, number> {
  const wrong = operators.filter(({ state }) => isWrong(state));
  return new Map(wrong.map(({ operatorUserId }, index) => [operatorUserId, index + 1]));
}

function isWrong(state: State): boolean {
  return state === 'failed' || state === 'incomplete' || state === 'cancelled';
}

interface RowOptions {
  row: number | undefined;
  /** The number of each cause, to be linked to. */
  causes: ReadonlyMap<Cause['type'], number>;
  withDocuments: boolean;
}

function row(operator: OperatorReport, { row, causes, withDocuments }: RowOptions): Html {
  const { operatorUserId, operatorPubkey, runId, state, endedAt, failure, counts } = operator;
  const { sign, tone } = STATES[state];
  return html`<tr${row !== undefined && html` id="r${row}"`}
    ><th scope="row">
      <b>${foreign(operatorUserId)}</b>${
        operatorPubkey !== null && html`<code class="id cut">${npub(operatorPubkey)}</code>`
      }
    </th>
    <td>
      <i>outcome</i><b class="${tone}">${sign} ${state}</b>${
        endedAt !== null && html` <time>${endedAt.slice(11, 19)}</time>`
      }${runId !== null && html`<p>run <code class="id">${runId}</code></p>`}${
        failure !== null &&
        failure.type !== 'RepublishIncomplete' &&
        html`<p>${typeOf(failure.type, causes)}: ${foreign(failure.message.slice(0, MAX_MESSAGE_LENGTH))}</p>`
      }
    </td>
    <td>
      <i>documents</i>${counts !== null && countsOf(counts)}${withDocuments && documents(operator, causes)}
    </td></tr${row !== undefined && html` id="r${row}"`}
  > `;
}

function countsOf(counts: NonNullable<OperatorReport['counts']>): Html {
  const { published, unchanged, superseded, failed, skipped } = counts;
  const standing = published + unchanged + superseded;
  return html`${grouped(standing)} of ${grouped(standing + failed)}
  stand${skipped > 0 && html` <small>${grouped(skipped)} skipped</small>`}`;
}

function typeOf(type: Cause['type'], causes: RowOptions['causes']): Html {
  const number = causes.get(type);
  return number === undefined ? html`${type}` : html`<a href="#c${number}">${type}</a>`;
}

function documents({ failures, failed }: OperatorReport, causes: RowOptions['causes']): Html | false {
  if (failures.length === 0) return false;
  return html`<details class="more">
    <summary>${plural(failed, 'document')} failed</summary>
    <ul>
      ${failures.map(
        ({ documentType, machineId, type, message }) =>
          html`<li>
            <bdi>${documentType}</bdi>, machine <bdi>${machineId}</bdi>: ${typeOf(type, causes)}:
            ${foreign(message.slice(0, MAX_MESSAGE_LENGTH))}
          </li>`,
      )}${failed > failures.length && html`<li>and ${grouped(failed - failures.length)} more</li>`}
    </ul>
  </details>`;
}
