import type { NextDocumentsInput, NextDocumentsResult } from '../contract/activities';
import { openDocuments } from '../database/ledger/pages';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { toPublish } from './load-machines';

/** Reads a page of the plan: what a run has still to bring to an outcome. */
export async function nextDocuments(
  deps: ActivityDependencies,
  { runId, ...page }: NextDocumentsInput,
  _call: ActivityCall,
): Promise<NextDocumentsResult> {
  const documents = await openDocuments(deps.database, runId, page);
  const last = documents.length === page.limit ? documents.at(-1) : undefined;
  const names = new Map(documents.map(({ machineId, machineName }) => [machineId, machineName]));
  return {
    machines: toPublish(
      [...names].map(([id, name]) => ({ id, name })),
      documents.map((row) => ({ ...row, outcome: null })),
    ),
    ...(last === undefined ? {} : { next: { machineId: last.machineId, documentType: last.documentType } }),
  };
}
