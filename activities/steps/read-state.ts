import { RepublishError } from '../../contract/failures';
import { serialiseState } from '../../documents/state';
import type { ActivityDependencies } from '../dependencies';

/** The plaintext of a machine's document as Postgres has it now; undefined where there is no state. */
export function readState(
  deps: ActivityDependencies,
  documentType: string,
  machineId: string,
): Promise<string | undefined> {
  return new StateReader(deps, documentType).read(machineId);
}

/**
 * Reads states as `readState` does, the rows of many machines at once where that can be done. What Postgres refuses for many, or
 * does not do in time, is read for each from then on, which also says what is wrong with which.
 */
export class StateReader {
  #rows = new Map<string, Record<string, unknown>[]>();
  #oneByOne = false;

  constructor(
    private readonly deps: ActivityDependencies,
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
