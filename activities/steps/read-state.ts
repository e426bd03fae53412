import { RepublishError } from '../../contract/failures';
import { gathered } from '../../database/gathered';
import type { DocumentType } from '../../documents/document-type';
import { serialiseState } from '../../documents/state';
import type { ActivityDependencies } from '../dependencies';

type StateDependencies = Pick<
  ActivityDependencies,
  'database' | 'sources' | 'documentTypes' | 'maxStateBytes'
>;

type Rows = Record<string, unknown>[];

/**
 * The plaintext of a machine's document as Postgres has it now; undefined where there is no state.
 *
 * @throws RepublishError WorkerOutdated, StateInvalid, StateTooLarge or of the database
 */
export type ReadState = (documentType: string, machineId: string) => Promise<string | undefined>;

/** Reads states; the rows of one type that are asked for in the same moment together, where that can be done. */
export function stateReading(deps: StateDependencies): ReadState {
  const { database, sources, maxStateBytes } = deps;
  const reading = new Map<DocumentType, (machineId: string) => Promise<Rows>>();
  const rowsOf = ({ type }: DocumentType): ((machineId: string) => Promise<Rows>) =>
    gathered({
      many: async (machineIds: readonly string[]) => {
        const rows = await sources.states(database, type, machineIds, maxStateBytes);
        return machineIds.map((id) => rows.get(id));
      },
      one: (machineId) => sources.state(database, type, machineId, maxStateBytes),
    });
  return async (documentType, machineId) => {
    const type = typeOf(deps, documentType);
    const read = reading.get(type) ?? rowsOf(type);
    reading.set(type, read);
    return serialiseState(type, await read(machineId), maxStateBytes);
  };
}

/**
 * Reads states as `ReadState` does, the rows of many machines at once where that can be done. What Postgres refuses for many, or
 * does not do in time, is read for each from then on, which also says what is wrong with which.
 */
export class StateReader {
  #rows = new Map<string, Rows>();
  #oneByOne = false;

  constructor(
    private readonly deps: StateDependencies,
    readonly documentType: string,
  ) {}

  /** Forgets what was prepared before. */
  async prepare(machineIds: string[]): Promise<void> {
    const { sources, database, maxStateBytes } = this.deps;
    this.#rows = new Map();
    if (this.#oneByOne) return;
    try {
      this.#rows = await sources.states(database, this.documentType, machineIds, maxStateBytes);
    } catch (thrown) {
      if (!(thrown instanceof RepublishError)) throw thrown;
      this.#oneByOne = true;
    }
  }

  /** As ReadState, and throws what that does. */
  async read(machineId: string): Promise<string | undefined> {
    const { sources, database, maxStateBytes } = this.deps;
    const type = typeOf(this.deps, this.documentType);
    const rows =
      this.#rows.get(machineId) ??
      (await sources.state(database, this.documentType, machineId, maxStateBytes));
    return serialiseState(type, rows, maxStateBytes);
  }
}

/** @throws RepublishError WorkerOutdated */
function typeOf({ documentTypes }: StateDependencies, documentType: string): DocumentType {
  const type = documentTypes.find((candidate) => candidate.type === documentType);
  if (type !== undefined) return type;
  throw new RepublishError('WorkerOutdated', `this worker does not know the document type "${documentType}"`);
}
