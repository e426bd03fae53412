import type { RelayReport, RunReport } from '../../../inspection/report/model';
import { foreign, html, type Html } from './markup';
import { machinesSection, OUTCOMES, rowsOf, typesSection } from './machines';
import {
  bar,
  causesSection,
  facts,
  grouped,
  id,
  interventionsSection,
  key,
  page,
  section,
  timesOf,
  verdictSection,
  time,
} from './page';

/** Names that are told of what was asked for; more of them are counted. */
const MAX_NAMED = 20;

/** The page of a run. */
export function runPage(report: RunReport): Generator<string> {
  return page(report, `Operator ${report.operatorUserId}: ${report.verdict.sentence}`, parts(report));
}

function* parts(report: RunReport): Generator<Html> {
  const { counts, causes, interventions, relays, machines, howFar } = report;
  const shares = (Object.keys(OUTCOMES) as (keyof typeof OUTCOMES)[]).map((name) => ({
    name: name as string,
    count: counts[name],
    tone: OUTCOMES[name].tone,
  }));
  yield verdictSection(html`Operator <b>${foreign(report.operatorUserId)}</b>`, report, bar(shares, howFar));
  yield html`<div class="pair">
    <div>${asked(report)}</div>
    <div>${theRun(report)}</div>
  </div>`;
  if (causes.length > 0) yield causesSection(causes, 'document', rowsOf(machines));
  if (interventions.length > 0) yield interventionsSection(report);
  if (Object.keys(report.byType).length > 1) yield typesSection(report);
  if (relays.length > 0) yield relaysSection(relays);
  if (machines.length > 0) yield* machinesSection(report);
  yield footer(report);
}

function asked({ request, operatorUserId, documentTypes }: RunReport): Html {
  const force = request?.force
    ? `signed anew${request.resetCounts ? ', counts of the machines too' : ', but not what sets counts of the machines'}`
    : 'left alone';
  return section(
    'What was asked',
    facts([
      ['Operator', id(operatorUserId)],
      [
        'Document types',
        html`${names(request?.documentTypes ?? documentTypes)}${
          request !== undefined && request.documentTypes === undefined && html` <small>(all)</small>`
        }`,
      ],
      ['Machines', request === undefined ? null : request.machineIds ? names(request.machineIds) : 'all'],
      ['Key expected', request?.expectedPubkey ? key(request.expectedPubkey) : null],
      ['What is unchanged', request === undefined ? null : force],
      [
        'What fails',
        request === undefined
          ? null
          : request.onFailure === 'hold'
            ? 'waits for retry or skip'
            : 'is reported at the end',
      ],
      ['Reason', request?.reason ? foreign(request.reason) : null],
      ['', request === undefined ? 'The ledger has nothing of this run yet.' : null],
    ]),
  );
}

function names(list: readonly string[]): Html {
  const shown = list.slice(0, MAX_NAMED);
  return html`${shown.map((name, index) => html`${index > 0 && ', '}${foreign(name)}`)}${
    list.length > shown.length && ` and ${grouped(list.length - shown.length)} more`
  }`;
}

function theRun(report: RunReport): Html {
  const { runId, fleetRunId, keys, live, swept } = report;
  return section(
    'The run',
    facts([
      ['Run', id(runId)],
      ['Of the fleet', fleetRunId === null ? null : id(fleetRunId)],
      ...timesOf(report),
      ['Phase', live?.progress ? live.progress.phase : null],
      ['Last look', swept === null ? null : swept ? 'all was read back once more at the end' : 'none'],
      ['Key', keys.now === null ? 'none: it ended before the account was read' : key(keys.now)],
      [
        'Key before',
        keys.before === null
          ? keys.now === null
            ? null
            : 'none that this ledger knows'
          : html`${key(keys.before.pubkey)}<br /><small>last run with it: ${time(keys.before.until)}</small>`,
      ],
    ]),
  );
}

const STATES: Record<RelayReport['others'][number]['state'], string> = {
  holds: 'holds',
  refused: 'refused',
  unreachable: 'could not be reached',
  older: 'has an older one',
  newer: 'has a newer one',
  absent: 'does not have it',
};

function relaysSection(relays: readonly RelayReport[]): Html {
  return section(
    'Relays',
    html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>relay</th>
            <th class="n">holds</th>
            <th>others</th>
          </tr>
        </thead>
        <tbody>
          ${relays.map(
            ({ relay, holds, others }) =>
              html`<tr>
                <td>${foreign(relay)}</td>
                <td class="n">${grouped(holds)}</td>
                <td>
                  ${
                    others.length === 0
                      ? '–'
                      : others
                          .slice(0, 5)
                          .map(
                            ({ state, detail, count }, index) =>
                              html`${index > 0 && html`<br />`}<b
                                  class="${state === 'newer' ? 'none' : 'warning'}"
                                  >${grouped(count)}</b
                                >
                                ${STATES[state]}${detail !== '' && html`: ${foreign(detail)}`}`,
                          )
                  }${others.length > 5 && html`<br /><small>and ${grouped(others.length - 5)} more reasons</small>`}
                </td>
              </tr> `,
          )}
        </tbody>
      </table>
    </div>`,
  );
}

function footer({ state, workflowId, runId }: RunReport): Html {
  const from =
    state === 'goes on'
      ? 'The run goes on: this is how it stood at the time above, from the ledger and from Temporal.'
      : 'From the ledger and the audit of this run.';
  return html`<footer>
    <p>${from} A document stands when enough relays, the quorum, have shown it when they were asked.</p>
    <p>
      Workflow <bdi>${workflowId}</bdi>. The same for programs: republish audit <bdi>${runId}</bdi> --json. No
      secret and no state of a machine is in this page.
    </p>
  </footer>`;
}
