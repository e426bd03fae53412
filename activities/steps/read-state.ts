import { RepublishError } from '../../contract/failures';
import type { DocumentType } from '../../documents/document-type';
import { serialiseState, type SerialisedState } from '../../documents/state';
import type { StateRows } from '../../sources/source';
import type { ReadOnlyDependencies } from '../dependencies';

type StateDependencies = Pick<ReadOnlyDependencies, 'source' | 'documentTypes' | 'maxStateBytes'>;

/** The state of each machine, or why it cannot be published. Undefined: it has none. */
export async function readStates(
  deps: StateDependencies,
  documentType: string,
  machineIds: readonly string[],
): Promise<Map<string, SerialisedState | RepublishError | undefined>> {
  const type = requireType(deps, documentType);
  const rows = await deps.source.states(documentType, machineIds, deps.maxStateBytes);
  return new Map(machineIds.map((id) => [id, judged(() => stateOf(deps, type, rows.get(id) ?? []))]));
}

function judged<T>(work: () => T): T | RepublishError {
  try {
    return work();
  } catch (thrown) {
    if (thrown instanceof RepublishError) return thrown;
    throw thrown;
  }
}

function stateOf(deps: StateDependencies, type: DocumentType, rows: StateRows): SerialisedState | undefined {
  if (rows instanceof RepublishError) throw rows;
  return serialiseState(type, rows, deps.maxStateBytes);
}

/** @throws RepublishError WorkerOutdated */
export function requireType(
  { documentTypes }: Pick<StateDependencies, 'documentTypes'>,
  documentType: string,
): DocumentType {
  const type = documentTypes.find((candidate) => candidate.type === documentType);
  if (type !== undefined) return type;
  throw new RepublishError('WorkerOutdated', `this worker does not know the document type "${documentType}"`);
}
