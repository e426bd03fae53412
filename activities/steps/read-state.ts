import { ensureError, RepublishError } from '../../contract/failures';
import { gathered } from '../../database/gathered';
import { serialiseState } from '../../documents/state';
import type { ActivityDependencies } from '../dependencies';

/** The plaintext of a machine's document as Postgres has it now; undefined where there is no state. */
export type ReadState = (documentType: string, machineId: string) => Promise<string | undefined>;

type StateDependencies = Pick<
  ActivityDependencies,
  'database' | 'sources' | 'documentTypes' | 'maxStateBytes'
>;

/** Reads states; those of one type that are asked for in the same moment together, where a StateReader can. */
export function stateReading(deps: StateDependencies): ReadState {
  const readers = new Map<string, (machineId: string) => Promise<string | undefined>>();
  const readerOf = (documentType: string) =>
    gathered(async (machineIds: readonly string[]) => {
      const reader = new StateReader(deps, documentType);
      if (machineIds.length > 1) await reader.prepare([...machineIds]);
      return Promise.all(machineIds.map((id) => reader.read(id).catch(ensureError)));
    });
  return (documentType, machineId) => {
    const read = readers.get(documentType) ?? readerOf(documentType);
    readers.set(documentType, read);
    return read(machineId);
  };
}

/**
 * Reads states, the rows of many machines at once where that can be done. What Postgres refuses for many, or
 * does not do in time, is read for each from then on, which also says what is wrong with which.
 */
export class StateReader {
  #rows = new Map<string, Record<string, unknown>[]>();
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

  /** @throws RepublishError WorkerOutdated, StateInvalid, StateTooLarge or of the database */
  async read(machineId: string): Promise<string | undefined> {
    const { documentTypes, sources, database, maxStateBytes } = this.deps;
    const type = documentTypes.find((candidate) => candidate.type === this.documentType);
    if (type === undefined) {
      throw new RepublishError(
        'WorkerOutdated',
        `this worker does not know the document type "${this.documentType}"`,
      );
    }
    const rows =
      this.#rows.get(machineId) ??
      (await sources.state(database, this.documentType, machineId, maxStateBytes));
    return serialiseState(type, rows, maxStateBytes);
  }
}
