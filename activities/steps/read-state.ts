import { RepublishError } from '../../contract/failures';
import type { DocumentType } from '../../documents/document-type';
import { serialiseState } from '../../documents/state';
import type { ActivityDependencies } from '../dependencies';

/** The plaintext of a machine's document as Postgres has it now; undefined where there is no state. */
export async function readState(
  deps: ActivityDependencies,
  documentType: string,
  machineId: string,
): Promise<string | undefined> {
  const type = typeOf(deps, documentType);
  const rows = await deps.sources.state(deps.database, documentType, machineId, deps.maxStateBytes);
  return serialiseState(type, rows, deps.maxStateBytes);
}

/** Reads as `readState` does, after the rows of many machines were read at once. */
export type StateReader = (machineId: string) => Promise<string | undefined>;

/** What Postgres refuses for many at once is read for each, which then says what is wrong. */
export async function readStates(
  deps: ActivityDependencies,
  documentType: string,
  machineIds: string[],
): Promise<StateReader> {
  const type = typeOf(deps, documentType);
  const { database, sources, maxStateBytes } = deps;
  const states = await sources
    .states(database, documentType, machineIds, maxStateBytes)
    .catch((thrown: unknown) => {
      if (thrown instanceof RepublishError && thrown.type === 'DatabaseMisconfigured') return undefined;
      throw thrown;
    });
  return async (machineId) => {
    const rows = states?.get(machineId);
    if (rows === undefined) return readState(deps, documentType, machineId);
    return serialiseState(type, rows, maxStateBytes);
  };
}

/** @throws RepublishError WorkerOutdated */
function typeOf({ documentTypes }: ActivityDependencies, documentType: string): DocumentType {
  const type = documentTypes.find((candidate) => candidate.type === documentType);
  if (type !== undefined) return type;
  throw new RepublishError('WorkerOutdated', `this worker does not know the document type "${documentType}"`);
}
