import { RepublishError } from '../../contract/failures';
import { serialiseState } from '../../documents/state';
import type { ActivityDependencies } from '../dependencies';

/** The plaintext of a machine's document as Postgres has it now; undefined where there is no state. */
export async function readState(
  deps: ActivityDependencies,
  documentType: string,
  machineId: string,
): Promise<string | undefined> {
  const type = deps.documentTypes.find((candidate) => candidate.type === documentType);
  if (type === undefined) {
    throw new RepublishError(
      'WorkerOutdated',
      `this worker does not know the document type "${documentType}"`,
    );
  }
  const rows = await deps.sources.state(deps.database, documentType, machineId, deps.maxStateBytes);
  return serialiseState(type, rows, deps.maxStateBytes);
}
