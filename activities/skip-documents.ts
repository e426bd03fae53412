import type { SkipDocumentsInput, SkipDocumentsResult } from '../contract/activities';
import { ledgerCounts, skipUnpublished } from '../database/ledger/interventions';
import { leftBehind } from '../database/ledger/pages';
import type { ActivityCall, ActivityDependencies } from './dependencies';

/** Gives up documents of a run that are not published, because a person said so. */
export async function skipDocuments(
  deps: ActivityDependencies,
  { runId, selection, by, reason, behind }: SkipDocumentsInput,
  _call: ActivityCall,
): Promise<SkipDocumentsResult> {
  const message = `given up${by === undefined ? '' : ` by ${by}`}${reason === undefined ? '' : `: ${reason}`}`;
  const documents = await skipUnpublished(deps.database, runId, selection, message);
  const left = behind && (await leftBehind(deps.database, runId, behind, {}));
  return {
    documents,
    counts: await ledgerCounts(deps.database, runId),
    ...(left === undefined ? {} : { behind: left.behind }),
  };
}
