import { contentOf, type MachineCursor, type OpenedRun } from '../contract/activities';
import type { DocumentSelection } from '../contract/control';

/** What the Temporal UI calls each activity: the line beside its bar in the timeline. History holds it once for each call. */
export function pageSummary(opened: OpenedRun, page: number, machines: number): string {
  const { documentType, from, to } = contentOf(opened, page, machines);
  const isAll = from === 1 && to === machines;
  if (isAll) return `${documentType}, ${grouped(machines)} machine${machines === 1 ? '' : 's'}`;
  return `${documentType}, machines ${grouped(from)}-${grouped(to)} of ${grouped(machines)}`;
}

export function loadSummary(after: MachineCursor | undefined): string {
  return after === undefined ? 'load machines' : `load machines from ${grouped(after.machines + 1)} on`;
}

export function selectionSummary(what: string, { documentType, machineId }: DocumentSelection): string {
  const machine = machineId == null ? 'all machines' : `machine ${shortId(machineId)}`;
  return `${what}: ${documentType ?? 'all types'} of ${machine}`;
}

/** 10,000 */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Enough of an id to find it by: many begin alike (`operator-1-machine-…`), so its end is kept too. */
function shortId(id: string): string {
  return id.length <= 10 ? id : `${id.slice(0, 4)}…${id.slice(-4)}`;
}
