import { ensureError, remedyFor } from '../contract/failures';
import { didYouMean } from '../rules/suggest';
import { knownOperators } from '../database/audit';
import type { Queryable } from '../database/connection';
import { recordOfFleet } from '../database/fleet-report';
import { newestRecord, recordOfRun, type RunRecord } from '../database/ledger/report';
import { fleetReport } from './report/fleet';
import type { AskTemporal, Report } from './report/model';
import { runReport } from './report/run';

/** Means the newest fleet. */
const NEWEST_FLEET = 'fleet';

/** What a report reads. */
export interface ReportSources {
  db: Queryable;
  temporal: AskTemporal;
  now: () => Date;
}

/** There is no run, fleet or operator of that name. */
class NothingToReport extends Error {
  override readonly name = 'NothingToReport';
  readonly type = 'AuditNotFound';
  readonly remedy = remedyFor('AuditNotFound');
}

/**
 * What happened in a run or a fleet, or how it stands now: from the ledger and the audit and, when there is
 * no audit yet, also from Temporal.
 *
 * @param subject a run id (of a run or a fleet); `fleet`: the newest fleet; else an operator's id: the newest
 *   run
 * @throws NothingToReport; RepublishError when the database cannot be read
 */
export async function report(sources: ReportSources, subject: string): Promise<Report> {
  const { db, now } = sources;
  if (subject === NEWEST_FLEET) return fleet(sources);
  const [ofRun, ofFleet] = await Promise.all([recordOfRun(db, subject), recordOfFleet(db, subject)]);
  if (ofFleet !== undefined) return fleet(sources, subject);
  if (ofRun !== undefined) {
    const asked =
      ofRun.closedAt === null
        ? await orAway(() => sources.temporal.run(ofRun.workflowId, ofRun.runId))
        : NOT_ASKED;
    return runReport(db, { ...ofRun, record: ofRun, ...asked }, now());
  }
  return newestRun(sources, subject);
}

/** The newest run of an operator. Temporal can know a run of which the ledger has nothing yet. */
async function newestRun({ db, temporal, now }: ReportSources, operatorUserId: string): Promise<Report> {
  const [record, asked] = await Promise.all([
    newestRecord(db, operatorUserId),
    orAway(() => temporal.newestRun(operatorUserId)),
  ]);
  const { live } = asked;
  if (record === undefined && live?.closedAt != null) {
    const told =
      `run ${live.runId} of operator ${JSON.stringify(operatorUserId)}, of which this ` +
      `ledger has nothing`;
    throw new NothingToReport(`Temporal says ${live.status} of ${told}`);
  }
  if (live !== null && live.runId !== record?.runId && isNewer(live, record)) {
    const { runId, workflowId } = live;
    return runReport(db, { operatorUserId, runId, workflowId, ...asked }, now());
  }
  if (record === undefined)
    throw new NothingToReport(
      `no run, no fleet and no operator ${JSON.stringify(operatorUserId)} is known ` +
        `here${didYouMean(operatorUserId, await knownOperators(db))}${unasked(asked)}`,
    );
  return runReport(
    db,
    { ...record, record, ...asked, live: live?.runId === record.runId ? live : null },
    now(),
  );
}

function isNewer({ startedAt }: { startedAt: string }, record: RunRecord | undefined): boolean {
  return record === undefined || startedAt > record.startedAt;
}

async function fleet({ db, temporal, now }: ReportSources, runId?: string): Promise<Report> {
  const record = await recordOfFleet(db, runId);
  const isOver = runId !== undefined && record?.isAudited === true;
  const asked = isOver ? NOT_ASKED : await orAway(() => temporal.fleet(runId));
  const { live } = asked;
  const isOther = live !== null && live.runId !== record?.runId;
  if (isOther && (record === undefined || live.closedAt === null))
    return fleetReport(db, { ...asked, runId: live.runId, workflowId: live.workflowId }, now());
  if (record === undefined) throw new NothingToReport(`no fleet is known here${unasked(asked)}`);
  return fleetReport(db, { ...record, record, ...asked, live: isOther ? null : live }, now());
}

interface Asked<T> {
  live: T | null;
  temporalAway: string | null;
}

const NOT_ASKED = { live: null, temporalAway: null };

function unasked({ temporalAway }: Asked<unknown>): string {
  return temporalAway === null ? '' : ` (and Temporal could not be asked: ${temporalAway})`;
}

/** The ledger's part is worth showing without Temporal. */
async function orAway<T>(ask: () => Promise<T | undefined>): Promise<Asked<T>> {
  try {
    return { live: (await ask()) ?? null, temporalAway: null };
  } catch (thrown) {
    return { live: null, temporalAway: ensureError(thrown).message };
  }
}
