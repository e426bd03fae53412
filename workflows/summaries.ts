import type { DocumentSelection } from '../contract/control';

/** What the Temporal UI calls each activity: the line beside its bar in the timeline. */
export function documentSummary(documentType: string, machineName: string, machineId: string): string {
  return `${documentType} -> ${machineName.slice(0, 60)} (${shortId(machineId)})`;
}

/** Pages are told apart by where they begin: a machine id, as the cursor is one. */
export function pageSummary(after: string | undefined): string {
  return after === undefined ? 'load machines' : `load machines after ${shortId(after)}`;
}

export function selectionSummary(what: string, { documentType, machineId }: DocumentSelection): string {
  const machine = machineId == null ? 'all machines' : `machine ${shortId(machineId)}`;
  return `${what}: ${documentType ?? 'all types'} of ${machine}`;
}

/** Enough of an id to find it by: many begin alike (`operator-1-machine-…`), so its end is kept too. */
function shortId(id: string): string {
  return id.length <= 10 ? id : `${id.slice(0, 4)}…${id.slice(-4)}`;
}
