import { grouped } from '../../../rules/page-name';
import type { RelayReport, RunReport } from '../../../inspection/report/model';
import { causesSection, linksOf } from './causes';
import { machinesSection, OUTCOMES, TOLD, typesSection } from './machines';
import { foreign, joined, markup, type Markup } from './markup';
import {
  auditFact,
  bar,
  facts,
  interventionsSection,
  page,
  section,
  table,
  timesOf,
  verdictSection,
} from './page';
import { id, key, time } from './words';

/** At most so many names of a request are shown. The others are counted. */
const MAX_NAMED = 20;
const MAX_REASONS = 5;

/** The page of a run. */
export function runPage(report: RunReport): Generator<string> {
  return page(report, `Operator ${report.operatorUserId}: ${report.verdict.sentence}`, parts(report));
}

function* parts(report: RunReport): Generator<Markup> {
  const { counts, causes, interventions, relays, machines, howFar } = report;
  const shares = TOLD.map((name) => ({ name, count: counts[name], tone: OUTCOMES[name].tone }));
  const wrong = machines.filter(({ grade }) => grade === 'wrong').map(({ machineId }) => machineId);
  const links = linksOf(wrong, causes);
  yield verdictSection(
    markup`Operator <b>${foreign(report.operatorUserId)}</b>`,
    report,
    bar(shares, howFar),
  );
  yield markup`<div class="pair">${asked(report)}${theRun(report)}</div>`;
  yield keysSection(report);
  if (causes.length > 0) yield causesSection(report, links);
  if (interventions.length > 0) yield interventionsSection(report);
  if (machines.length > 0) yield typesSection(report);
  if (relays.length > 0) yield relaysSection(relays);
  if (machines.length > 0) yield* machinesSection(report, links);
  yield footer(report);
}

function asked({ request, operatorUserId, documentTypes }: RunReport): Markup {
  if (request === undefined) {
    const nothing = 'The ledger has nothing of this run yet: no worker has begun it.';
    return section(
      'What was asked',
      facts([
        ['Operator', id(operatorUserId)],
        ['', nothing],
      ]),
    );
  }
  const { force, resetCounts, onFailure, reason, machineIds } = request;
  return section(
    'What was asked',
    facts([
      ['Operator', id(operatorUserId)],
      [
        'Document types',
        request.documentTypes === undefined ? `all: ${documentTypes.join(', ')}` : names(documentTypes),
      ],
      ['Machines', machineIds === undefined ? 'all' : names(machineIds)],
      [
        'Unchanged ones',
        !force ? 'left alone' : `signed again${resetCounts ? ', counts of machines too' : ''}`,
      ],
      ['Failed ones', onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'],
      ['Reason', reason ? foreign(reason) : null],
    ]),
  );
}

function names(list: readonly string[]): Markup {
  const more = list.length - MAX_NAMED;
  return markup`${joined(list.slice(0, MAX_NAMED).map(foreign))}${more > 0 && ` and ${grouped(more)} more`}`;
}

function theRun(report: RunReport): Markup {
  const { runId, fleetRunId, live, swept } = report;
  return section(
    'The run',
    facts([
      ['Run', id(runId)],
      ['Of the fleet', fleetRunId === null ? null : id(fleetRunId)],
      ...timesOf(report),
      ['Phase', live?.progress?.phase ?? null],
      ['Last look', swept === null ? null : swept ? 'all was read back at the end' : 'none at the end'],
      auditFact(report),
    ]),
  );
}

function keysSection({ keys, request }: RunReport): Markup {
  const { now, before } = keys;
  return section(
    'Keys',
    facts([
      ['Of the account', now === null ? 'not known: the run has not read the account' : key(now)],
      [
        'Before',
        before !== null
          ? markup`${key(before.pubkey)}<br><small>last run with it began ${time(before.until)}</small>`
          : now === null
            ? null
            : 'none that this ledger knows',
      ],
      [
        'Expected',
        request?.expectedPubkey === undefined
          ? null
          : request.expectedPubkey === now
            ? 'that of the account'
            : key(request.expectedPubkey),
      ],
    ]),
  );
}

const STATES: Record<RelayReport['others'][number]['state'], string> = {
  holds: 'holds it',
  refused: 'refused',
  unreachable: 'could not be reached',
  older: 'has an older one',
  newer: 'has a newer one',
  absent: 'does not have it',
};

function relaysSection(relays: readonly RelayReport[]): Markup {
  const rows = relays.map(({ relay, holds, others }) => {
    const told = others
      .slice(0, MAX_REASONS)
      .map(
        ({ state, detail, count }) =>
          markup`<b class="${state === 'newer' ? 'none' : 'warning'}">${grouped(count)}</b> ${STATES[state]}${
            detail !== '' && markup`: ${foreign(detail)}`
          }`,
      );
    const more = others.length - told.length;
    return [
      foreign(relay),
      grouped(holds),
      markup`${joined(told, markup`<br>`)}${more > 0 && markup`<br><small>and ${grouped(more)} more reasons</small>`}`,
    ];
  });
  return section('Relays', table(['relay', '#holds', 'others'], rows));
}

function footer({ state, workflowId, runId }: RunReport): Markup {
  const from =
    state === 'goes on'
      ? 'The run is not over: this is how it stood at the time above, by the ledger and by Temporal.'
      : 'By the ledger and the audit of this run.';
  return markup`<footer><p>${from} A document stands when enough relays, the quorum, have shown it when they were asked. Times are UTC.</p>
<p>Workflow <bdi>${workflowId}</bdi>. For programs: <code>republish audit ${runId} --json</code>. No secret and no state of a machine is in this page.</p></footer>`;
}
