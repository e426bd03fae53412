import type { NoteFailuresInput } from '../contract/activities';
import { noteFailures as writeFailures } from '../database/ledger/closing';
import type { ActivityCall, ActivityDependencies } from './dependencies';

/** Keeps in the ledger why documents have failed, where no attempt could: an execution that ends would forget it. */
export async function noteFailures(
  deps: ActivityDependencies,
  { runId, failures }: NoteFailuresInput,
  _call: ActivityCall,
): Promise<void> {
  await writeFailures(deps.database, runId, failures);
}
