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

  async read(machineId: string): Promise<string | undefined> {
    const rows = this.#rows.get(machineId);
    if (rows === undefined) return readState(this.deps, this.documentType, machineId);
    return serialiseState(typeOf(this.deps, this.documentType), rows, this.deps.maxStateBytes);
  }
}

/** @throws RepublishError WorkerOutdated */
function typeOf({ documentTypes }: ActivityDependencies, documentType: string): DocumentType {
  const type = documentTypes.find((candidate) => candidate.type === documentType);
  if (type !== undefined) return type;
  throw new RepublishError('WorkerOutdated', `this worker does not know the document type "${documentType}"`);
}
