import type { DocumentSelection } from '../contract/control';
import type { QueuedDocument } from './document-queue';

/**
 * What the Temporal UI calls each activity: the line beside its bar in the timeline. Beside its name, the end of a machine's id
 * is enough to find it by; history holds the line once for each document.
 */
export function documentSummary({ documentType, name, machineId }: QueuedDocument): string {
  return `${documentType}: ${name.slice(0, 60)} (${shortId(machineId, 0)})`;
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
function shortId(id: string, head = 4): string {
  return id.length <= 10 ? id : `${id.slice(0, head)}…${id.slice(-4)}`;
}
