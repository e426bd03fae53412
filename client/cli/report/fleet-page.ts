import type { OutcomeCounts } from '../../../contract/progress';
import { cut } from '../../../rules/cut';
import { givenUpWords, howFar } from '../../../rules/how-far';
import { grouped } from '../../../rules/page-name';
import type { FleetReport, OperatorReport } from '../../../inspection/report/model';
import { npub } from '../../../nostr/keys';
import { causesSection, type Links, linksOf, rowMark, typeLink } from './causes';
import { listed } from './groups';
import { foreign, joined, markup, type Markup } from './markup';
import {
  auditFact,
  bar,
  facts,
  interventionsSection,
  page,
  section,
  timesOf,
  type Tone,
  verdictSection,
} from './page';
import { id, plural } from './words';

/** Up to this number of operators, the page shows the details of every row at once. */
const MAX_OPEN_OPERATORS = 50;
/** The failed documents of at most so many operators are shown: there can be 20,000 operators. */
const MAX_WITH_DOCUMENTS = 1_000;

type State = OperatorReport['state'];

/** How an operator's end is shown: colour, sign and word. The most urgent first. */
const STATES = {
  failed: { sign: '✕', tone: 'bad', name: 'failed', title: 'whose run failed', isWrong: true },
  incomplete: {
    sign: '✕',
    tone: 'bad',
    name: 'incomplete',
    title: 'with documents that do not stand',
    isWrong: true,
  },
  cancelled: {
    sign: '!',
    tone: 'warning',
    name: 'cancelled',
    title: 'whose run was cancelled',
    isWrong: true,
  },
  'in work': { sign: '…', tone: 'calm', name: 'in work', title: 'in work', isWrong: false },
  waiting: { sign: '·', tone: 'none', name: 'not begun', title: 'not begun', isWrong: false },
  complete: { sign: '✓', tone: 'good', name: 'complete', title: 'complete', isWrong: false },
} as const satisfies Record<
  State,
  { sign: string; tone: Tone; name: string; title: string; isWrong: boolean }
>;

const ALL = Object.keys(STATES) as State[];

/** The page of a fleet. */
export function fleetPage(report: FleetReport): Generator<string> {
  return page(report, `Fleet: ${report.verdict.sentence}`, parts(report));
}

function* parts(report: FleetReport): Generator<Markup> {
  const { counts, causes, interventions, operators } = report;
  const shares = ALL.toReversed().map((state) => ({
    name: STATES[state].name,
    count: counts[state === 'in work' ? 'inWork' : state],
    tone: STATES[state].tone,
  }));
  const wrong = operators.filter(({ state }) => STATES[state].isWrong);
  const links = linksOf(
    wrong.map(({ operatorUserId }) => operatorUserId),
    causes,
  );
  yield verdictSection(
    markup`Fleet of <b>${plural(counts.planned, 'operator')}</b>`,
    report,
    bar(shares, report.howFar),
  );
  yield markup`<div class="pair">${asked(report)}${theFleet(report)}</div>`;
  if (causes.length > 0) yield causesSection(report, links);
  if (interventions.length > 0) yield interventionsSection(report);
  if (operators.length > 0) yield* operatorsSection(operators, links);
  yield footer(report);
}

function asked({ request, counts }: FleetReport): Markup {
  if (request === undefined)
    return section(
      'What was asked',
      facts([['', 'The ledger has nothing of this fleet yet: no worker has begun it.']]),
    );
  const { all, documentTypes, operatorsAtOnce, force, onFailure, reason } = request;
  return section(
    'What was asked',
    facts([
      ['Operators', `${grouped(counts.planned)}${all ? ' (all)' : ''}`],
      ['Document types', documentTypes ? joined(documentTypes.map(foreign)) : 'all'],
      ['Runs at once', operatorsAtOnce === undefined ? null : grouped(operatorsAtOnce)],
      ['Unchanged ones', force ? 'signed again' : 'left alone'],
      ['Failed ones', onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'],
      ['Reason', reason ? foreign(reason) : null],
    ]),
  );
}

function theFleet(report: FleetReport): Markup {
  const { runId, documents } = report;
  return section(
    'The fleet',
    facts([
      ['Fleet', id(runId)],
      ...timesOf(report),
      ['Documents', `${standing(documents)} stand${givenUpWords(documents)}, of runs that have ended`],
      auditFact(report),
    ]),
  );
}

function* operatorsSection(operators: readonly OperatorReport[], links: Links): Generator<Markup> {
  let told = 0;
  yield markup`<section><h2>Operators</h2>`;
  for (const state of ALL) {
    const rows = operators.filter((operator) => operator.state === state);
    yield* listed({
      title: `${plural(rows.length, 'operator')} ${STATES[state].title}`,
      rows,
      isOpen: STATES[state].isWrong || operators.length <= MAX_OPEN_OPERATORS,
      head: ['operator', 'outcome', 'documents'],
      nameOf: ({ operatorUserId }) => foreign(operatorUserId),
      row: (operator) => row(operator, links, (told += 1) <= MAX_WITH_DOCUMENTS),
    });
  }
  yield markup`</section>`;
}

function row(operator: OperatorReport, links: Links, withDocuments: boolean): Markup {
  const { operatorUserId, operatorPubkey, runId, state, endedAt, failure, counts } = operator;
  const { sign, tone, name } = STATES[state];
  return markup`<tr${rowMark(links, operatorUserId)}><th scope="row"><b>${foreign(operatorUserId)}</b>${
    operatorPubkey !== null && markup`<code class="id cut">${npub(operatorPubkey)}</code>`
  }<td><i>outcome</i><b class="${tone}">${sign} ${name}</b>${
    endedAt !== null && markup` <time>${endedAt.slice(0, 10)} ${endedAt.slice(11, 19)}</time>`
  }${
    failure !== null &&
    failure.type !== 'RepublishIncomplete' &&
    markup`<p>${typeLink(links, failure.type)}: ${foreign(cut(failure.message))}</p>`
  }${runId !== null && markup`<p>run <code class="id">${runId}</code></p>`}<td><i>documents</i>${
    counts === null
      ? markup`<span class="soft">none</span>`
      : `${standing(counts)} stand${givenUpWords(counts)}`
  }${withDocuments && documents(operator, links)}`;
}

function standing(counts: OutcomeCounts): string {
  const { done, of } = howFar(counts);
  return `${grouped(done)} of ${grouped(of)}`;
}

function documents({ failures, failed }: OperatorReport, links: Links): Markup | false {
  if (failures.length === 0) return false;
  const more = failed - failures.length;
  return markup`<details class="more"><summary>${plural(failed, 'document')} failed</summary>
<ul>${failures.map(
    ({ documentType, machineId, type, message }) =>
      markup`<li>${foreign(documentType)} of machine ${foreign(machineId)}: ${typeLink(links, type)}: ${foreign(cut(message))}</li>`,
  )}${more > 0 && markup`<li>and ${grouped(more)} more</li>`}</ul></details>`;
}

function footer({ state, workflowId, runId }: FleetReport): Markup {
  const from =
    state === 'goes on'
      ? 'The fleet is not over: this is how it stood at the time above, by the ledger and by Temporal.'
      : 'By the ledger and the audits.';
  return markup`<footer><p>${from} Each operator has a page too: <code>republish report &lt;run&gt; --html FILE</code>. Times are UTC.</p>
<p>Workflow <bdi>${workflowId}</bdi>. For programs: <code>republish fleet audit ${runId} --json</code>. No secret and no state of a machine is in this page.</p></footer>`;
}
