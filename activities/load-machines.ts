import type { LoadMachinesInput, LoadMachinesResult } from '../contract/activities';
import { type DocumentFailure, RepublishError } from '../contract/failures';
import {
  type DocumentRow,
  documentsOfMachines,
  newestFingerprints,
  planDocuments,
} from '../database/ledger/documents';
import type { PlanRow } from '../database/ledger/interventions';
import { dTag } from '../documents/document-type';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { listingOf } from './steps/listing';
import { isForced } from './steps/force';
import { planMachines } from './steps/plan-machines';

/** Bad rows that a page names in history; the ledger and the audit have all of them. */
const MAX_NAMED_FAILURES = 50;

/**
 * Plans a page of the operator's machines: one row in the ledger for each machine and document type, settled at once
 * where there is nothing to publish (skipped) or nothing publishable (failed). State is read and judged here, and read
 * again at the seal; it never leaves the worker.
 */
export async function loadMachines(
  deps: ActivityDependencies,
  input: LoadMachinesInput,
  { signal }: ActivityCall,
): Promise<LoadMachinesResult> {
  const { runId, operatorUserId, operatorPubkey, machineIds, after, limit } = input;
  if (after === undefined && machineIds !== undefined)
    await requireMachines(deps, operatorUserId, machineIds);

  const machines = await deps.source.machines({ operatorUserId, after, machineIds, limit });
  const { documents, states } = await planMachines(deps, input, machines, signal);
  await planDocuments(deps.database, { runId, operatorPubkey }, documents);
  deps.failpoint('after-load');

  // The ledger decides, not what was just read: an earlier attempt or execution may have planned and done part of it.
  const rows = await documentsOfMachines(
    deps.database,
    runId,
    machines.map(({ id }) => id),
  );
  const stood = await newestFingerprints(deps.database, operatorPubkey, input.documentTypes, [
    ...new Set(rows.flatMap(({ atmPubkey }) => atmPubkey ?? [])),
  ]);
  const needsSignature = (row: DocumentRow): boolean => {
    if (row.outcome !== null || row.signature !== null) return false;
    if (row.atmPubkey === null || isForced(deps, row.documentType, input)) return true;
    const address = dTag(row.documentType, row.atmPubkey);
    return stood.get(address) == null || stood.get(address) !== states.get(address)?.fingerprint;
  };
  return {
    ...(input.list === false
      ? { machines: [], open: countOpen(rows) }
      : listingOf(input, machines, rows.filter(isOpen))),
    toSign: rows.filter(needsSignature).length,
    settled: countSettled(rows),
    failures: failuresOf(rows).slice(0, MAX_NAMED_FAILURES),
    ...(machines.length === limit ? { next: machines.at(-1)?.id ?? '' } : {}),
  };
}

export function failuresOf(rows: PlanRow[]): DocumentFailure[] {
  return rows.flatMap(({ documentType, machineId, outcome, failureType, failureMessage }) =>
    outcome === 'failed' && failureType !== null
      ? [{ documentType, machineId, type: failureType, message: (failureMessage ?? '').slice(0, 300) }]
      : [],
  );
}

/** @throws RepublishError MachineNotFound, naming those that the operator does not have */
export async function requireMachines(
  deps: ActivityDependencies,
  operatorUserId: string,
  machineIds: string[],
): Promise<void> {
  const found = await deps.source.machines({
    operatorUserId,
    machineIds,
    limit: machineIds.length,
  });
  const known = new Set(found.map(({ id }) => id));
  const missing = machineIds.filter((id) => !known.has(id));
  if (missing.length === 0) return;
  const named =
    missing.slice(0, 10).join(', ') + (missing.length > 10 ? ` and ${missing.length - 10} more` : '');
  throw new RepublishError('MachineNotFound', `operator ${operatorUserId} has no machine ${named}`);
}

function isOpen({ outcome }: DocumentRow): boolean {
  return outcome === null;
}

function countOpen(rows: DocumentRow[]): Record<string, number> {
  const open: Record<string, number> = {};
  for (const { documentType } of rows.filter(isOpen)) open[documentType] = (open[documentType] ?? 0) + 1;
  return open;
}

function countSettled(rows: DocumentRow[]): LoadMachinesResult['settled'] {
  const settled: LoadMachinesResult['settled'] = {};
  for (const { documentType, outcome } of rows) {
    if (outcome === null) continue;
    const counts = (settled[documentType] ??= {});
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return settled;
}
