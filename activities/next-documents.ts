import type { NextDocumentsInput, NextDocumentsResult } from '../contract/activities';
import { openDocuments } from '../database/ledger/pages';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { listingOf } from './steps/listing';

/** Reads a page of the plan: what a run has still to bring to an outcome. */
export async function nextDocuments(
  deps: ActivityDependencies,
  input: NextDocumentsInput,
  _call: ActivityCall,
): Promise<NextDocumentsResult> {
  const documents = await openDocuments(deps.database, input.runId, input);
  const last = documents.length === input.limit ? documents.at(-1) : undefined;
  const names = new Map(documents.map(({ machineId, machineName }) => [machineId, machineName]));
  return {
    ...listingOf(
      input,
      [...names].map(([id, name]) => ({ id, name })),
      documents,
    ),
    ...(last === undefined ? {} : { next: { machineId: last.machineId, documentType: last.documentType } }),
  };
}
