import { RepublishError } from '../../contract/failures';
import { gathered } from '../../database/gathered';
import type { DocumentType } from '../../documents/document-type';
import { serialiseState, type SerialisedState } from '../../documents/state';
import type { StateRows } from '../../sources/source';
import type { ActivityDependencies } from '../dependencies';

type StateDependencies = Pick<ActivityDependencies, 'source' | 'documentTypes' | 'maxStateBytes'>;

/**
 * A machine's document as LNbits' database has it now; undefined where there is no state.
 *
 * @throws RepublishError WorkerOutdated, StateInvalid, StateTooLarge, or of the source
 */
export type ReadState = (documentType: string, machineId: string) => Promise<SerialisedState | undefined>;

/** Reads states; the rows of one type that are asked for in the same moment together. */
export function stateReading(deps: StateDependencies): ReadState {
  const { source, maxStateBytes } = deps;
  const reading = new Map<DocumentType, (machineId: string) => Promise<StateRows>>();
  const rowsOf = ({ type }: DocumentType): ((machineId: string) => Promise<StateRows>) => {
    const read = async (machineIds: readonly string[]): Promise<StateRows[]> => {
      const rows = await source.states(type, machineIds, maxStateBytes);
      return machineIds.map((id) => rows.get(id) ?? []);
    };
    return gathered({ many: read, one: async (machineId) => (await read([machineId]))[0] ?? [] });
  };
  return async (documentType, machineId) => {
    const type = requireType(deps, documentType);
    const read = reading.get(type) ?? rowsOf(type);
    reading.set(type, read);
    return stateOf(deps, type, await read(machineId));
  };
}

/** The state of each of these machines, or why it cannot be published; undefined: it has none. */
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
