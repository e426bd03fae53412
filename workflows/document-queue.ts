import { CancellationScope, CancelledFailure, isCancellation } from '@temporalio/workflow';
import type { DocumentPosition, Listing } from '../contract/activities';
import type { DocumentSelection } from '../contract/control';
import type { DocumentFailure, Failure, FailureType } from '../contract/failures';

export interface QueuedDocument {
  machineId: string;
  name: string;
  documentType: string;
  /** By which the ledger knows it; absent in runs of before. */
  number?: number;
  /** It came in the order of the ledger, for its first attempt in this run. */
  inOrder?: boolean;
}

/** Where more documents come from when the queue runs low. */
export interface Supply {
  readonly isEmpty: boolean;
  prefetch(): void;
  load(): Promise<void>;
}

export interface Working<Result> {
  /** Documents at once. */
  width: number;
  /** Resolves when the next document may be begun; undefined when it may at once. */
  mayBegin(): Promise<void> | undefined;
  /** No further document is to be begun by this execution. */
  mustEnd(): boolean;
  work(document: QueuedDocument): Promise<Result>;
  /** Told of each document that ended well, with the result of `work`. */
  onEnd(document: QueuedDocument, result: Result): void;
  /** Told of each that failed. */
  onFailure(document: QueuedDocument): void;
  failureOf(error: unknown): Failure;
}

interface InWork {
  document: QueuedDocument;
  scope: CancellationScope;
  ended: Promise<unknown>;
}

/** Failures whose cause is a signer, a relay or a database, and not the document. */
const ALIKE_FOR_ALL: ReadonlySet<FailureType> = new Set([
  'SignerTimeout',
  'SignerUnreachable',
  'SignerApprovalPending',
  'SignerNotConfigured',
  'SignerPubkeyMismatch',
  'SignerUnlockFailed',
  'SignerUnreadable',
  'RelayQuorumNotReached',
  'DatabaseUnavailable',
  'ActivityTimeout',
  'WorkerOutdated',
]);

/**
 * The documents of a run and where each is: waiting, in work, or failed after all its attempts. Those that reached an
 * outcome are forgotten here.
 */
export class DocumentQueue {
  #waiting: QueuedDocument[] = [];
  #inWork = new Map<string, InWork>();
  #failed = new Map<string, { document: QueuedDocument; failure: Failure }>();
  #known = new Set<string>();
  #givenUp = new Set<string>();
  /** Selections that are being given up just now: none of theirs may be begun any more. */
  #refused = new Set<DocumentSelection>();
  #takenUp: QueuedDocument[] = [];
  #begun = 0;
  #position: DocumentPosition | undefined;
  #failedInARow: number;
  #width = Infinity;

  constructor({ failedInARow = 0 }: { failedInARow?: number } = {}) {
    this.#failedInARow = failedInARow;
  }

  /** Adds documents that were not added before, and returns these. */
  add(documents: QueuedDocument[], { inOrder = false } = {}): QueuedDocument[] {
    const added: QueuedDocument[] = [];
    for (const document of documents) {
      const key = keyOf(document);
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      added.push(document);
      if (!inOrder) this.#takenUp.push(document);
      if ([...this.#refused].some((selection) => isSelected(document, selection))) continue;
      this.#waiting.push(inOrder ? { ...document, inOrder } : document);
    }
    return added;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get inWork(): number {
    return this.#inWork.size;
  }

  /** Documents that were begun so far, each attempt at the whole of one counted. */
  get begun(): number {
    return this.#begun;
  }

  get failedInARow(): number {
    return this.#failedInARow;
  }

  /** The last document that was begun in the order of the ledger. */
  get position(): DocumentPosition | undefined {
    return this.#position;
  }

  /** Whether documents wait whose turn would come in the order of the ledger. */
  get hasInOrder(): boolean {
    return this.#waiting.some(({ inOrder }) => inOrder);
  }

  /** Documents that wait for another attempt although others were begun after them. */
  get again(): QueuedDocument[] {
    return this.#waiting.filter(({ inOrder }) => !inOrder);
  }

  /** Documents that were added out of order, whatever became of them. */
  get takenUp(): readonly QueuedDocument[] {
    return this.#takenUp;
  }

  /** Documents that failed for good, by the failures of their last attempts. */
  failures(limit = Infinity): DocumentFailure[] {
    const failures: DocumentFailure[] = [];
    for (const { document, failure } of this.#failed.values()) {
      if (failures.length >= limit) break;
      failures.push({ documentType: document.documentType, machineId: document.machineId, ...failure });
    }
    return failures;
  }

  /**
   * A whole window of documents has failed, each after all its attempts, for a reason that the others share: they would
   * only fail too, for hours.
   */
  get isHopeless(): boolean {
    return this.#failedInARow >= this.#width;
  }

  /** The audit has them. */
  clear(): void {
    this.#waiting = [];
    this.#failed.clear();
  }

  /**
   * Works on what waits and on what the supply still has, at most `width` documents at once: thousands of pending activities
   * at a time would be refused by the server. After a cancellation no document is begun, and those in work are waited for.
   */
  async work<Result>(supply: Supply, working: Working<Result>): Promise<void> {
    const { width } = working;
    this.#width = width;
    let cancellation: unknown;
    // One flat loop, and no promise but where it waits: the SDK keeps a stack trace for each promise of a workflow.
    const lane = async (): Promise<void> => {
      // Of one document after the other, until one of them is cancelled.
      let scope = new CancellationScope();
      for (;;) {
        if (CancellationScope.current().consideredCancelled) {
          // Also where all that was in work has ended well: whoever called must not go on with what still waits.
          cancellation ??= new CancelledFailure('cancelled');
          return;
        }
        let document: QueuedDocument | undefined;
        try {
          const allowed = working.mayBegin();
          if (allowed !== undefined) await allowed;
          if (this.isHopeless || working.mustEnd()) return;
          document = this.#waiting.shift();
          supply.prefetch();
          if (document === undefined) {
            if (supply.isEmpty) return;
            await supply.load();
            continue;
          }
        } catch (error) {
          cancellation = error;
          return;
        }
        if (scope.consideredCancelled) scope = new CancellationScope();
        const ended = this.#begin(document, scope, working);
        try {
          this.#end(document, working, await ended);
        } catch (error) {
          // Also the other lanes end at their next document; throwing here would leave theirs unobserved.
          if (!this.#fail(document, working, error)) cancellation = error;
          if (cancellation !== undefined) return;
        }
      }
    };
    const lanes = supply.isEmpty ? Math.min(width, this.#waiting.length) : width;
    await Promise.all(Array.from({ length: lanes }, lane));
    if (cancellation !== undefined) throw cancellation;
  }

  #begin<Result>(
    document: QueuedDocument,
    scope: CancellationScope,
    { work }: Working<Result>,
  ): Promise<Result> {
    const ended = scope.run(() => work(document));
    this.#inWork.set(keyOf(document), { document, scope, ended });
    this.#begun += 1;
    const { machineId, documentType, inOrder } = document;
    if (inOrder) this.#position = { machineId, documentType };
    return ended;
  }

  #end<Result>(document: QueuedDocument, { onEnd }: Working<Result>, result: Result): void {
    this.#failedInARow = 0;
    this.#inWork.delete(keyOf(document));
    onEnd(document, result);
  }

  /** False when it did not fail but was cancelled, and not because it was given up. */
  #fail<Result>(
    document: QueuedDocument,
    { onFailure, failureOf }: Working<Result>,
    error: unknown,
  ): boolean {
    const key = keyOf(document);
    this.#inWork.delete(key);
    if (isCancellation(error)) return this.#givenUp.has(key);
    const failure = failureOf(error);
    this.#failed.set(key, { document, failure });
    this.#failedInARow = ALIKE_FOR_ALL.has(failure.type) ? this.#failedInARow + 1 : 0;
    onFailure(document);
    return true;
  }

  /** Puts failed documents back; where a window had failed, the rest is tried again too. Returns how many were failed. */
  retry(selection: DocumentSelection): number {
    this.#failedInARow = 0;
    const chosen = [...this.#failed].filter(([, { document }]) => isSelected(document, selection));
    for (const [key, { document }] of chosen) {
      this.#failed.delete(key);
      this.#waiting.push({ ...document, inOrder: false });
    }
    return chosen.length;
  }

  /** Begins none of the selection while `work` goes on, whatever the supply brings meanwhile. */
  async refusing<T>(selection: DocumentSelection, work: () => Promise<T>): Promise<T> {
    this.#refused.add(selection);
    try {
      return await work();
    } finally {
      this.#refused.delete(selection);
    }
  }

  /** Gives documents up, and resolves when none of them is in work any more. One whose signature is there is finished first. */
  async giveUp(selection: DocumentSelection): Promise<void> {
    this.#waiting = this.#waiting.filter((document) => !isSelected(document, selection));
    for (const [key, { document }] of [...this.#failed])
      if (isSelected(document, selection)) this.#failed.delete(key);
    const chosen = [...this.#inWork].filter(([, { document }]) => isSelected(document, selection));
    for (const [key, { scope }] of chosen) {
      this.#givenUp.add(key);
      scope.cancel();
    }
    await Promise.all(chosen.map(([, { ended }]) => ended.catch(() => undefined)));
  }
}

/** The documents of a listing, in its order. */
export function documentsOf({ machines, numbered }: Listing): QueuedDocument[] {
  if (numbered === undefined)
    return machines.flatMap(({ machineId, name, documentTypes }) =>
      documentTypes.map((documentType) => ({ machineId, name, documentType })),
    );
  return numbered.machines.flatMap(([machineId, name, ...numbers]) =>
    numbered.documentTypes.flatMap((documentType, index) => {
      const number = numbers[index] ?? 0;
      return number === 0 ? [] : [{ machineId, name, documentType, number }];
    }),
  );
}

export function keyOf({ documentType, machineId }: { documentType: string; machineId: string }): string {
  return `${documentType}/${machineId}`;
}

export function isSelected(
  document: { documentType: string; machineId: string },
  { documentType, machineId }: DocumentSelection,
): boolean {
  return (
    (documentType == null || document.documentType === documentType) &&
    (machineId == null || document.machineId === machineId)
  );
}
