import type { MachineCursor, OpenedRun } from '../contract/activities';
import { contentOf } from '../rules/page-numbers';
import type { DocumentSelection } from '../contract/control';
import { pageName } from '../rules/page-name';

/**
 * The label of an activity in the timeline of the Temporal UI. The history contains it once for each call.
 */
export function pageSummary(opened: OpenedRun, page: number, machines: number): string {
  return pageName(contentOf(opened, page, machines), machines);
}

export function loadSummary(after: MachineCursor | undefined): string {
  return after === undefined ? 'load machines' : `load machines from ${after.machines + 1} on`;
}

export function selectionSummary(what: string, { documentType, machineId }: DocumentSelection): string {
  const machine = machineId == null ? 'all machines' : `machine ${shortId(machineId)}`;
  return `${what}: ${documentType ?? 'all types'} of ${machine}`;
}

/** Start and end of an id: many ids begin alike (`operator-1-machine-…`). */
function shortId(id: string): string {
  return id.length <= 10 ? id : `${id.slice(0, 4)}…${id.slice(-4)}`;
}
