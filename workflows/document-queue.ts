import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { DocumentSelection } from '../contract/control';
import type { DocumentFailure, Failure, FailureType } from '../contract/failures';

export interface QueuedDocument {
  machineId: string;
  name: string;
  documentType: string;
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
  #failedInARow = 0;
  #width = Infinity;

  /** Adds documents that were not added before. */
  add(documents: QueuedDocument[]): void {
    for (const document of documents) {
      const key = keyOf(document);
      if (this.#known.has(key)) continue;
      this.#known.add(key);
      this.#waiting.push(document);
    }
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Every document that failed for good, by the failures of its last attempt. */
  get failures(): DocumentFailure[] {
    return [...this.#failed.values()].map(({ document: { documentType, machineId }, failure }) => ({
      documentType,
      machineId,
      ...failure,
    }));
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
   * Works on what waits, at most `width` documents at once: thousands of pending activities at a time would be refused by
   * the server. After a cancellation no document is begun, and those in work are waited for.
   *
   * @param mayBegin resolves when the next document may be begun
   * @param onEnd told how each document ended: with the result of `work`, a failure, or given up by a person
   */
  async work<Result>(
    width: number,
    mayBegin: () => Promise<void>,
    work: (document: QueuedDocument) => Promise<Result>,
    onEnd: (document: QueuedDocument, result: Result | undefined) => void,
    failureOf: (error: unknown) => Failure,
  ): Promise<void> {
    this.#width = width;
    let cancellation: unknown;
    const lane = async (): Promise<void> => {
      for (;;) {
        if (CancellationScope.current().consideredCancelled) return;
        try {
          await mayBegin();
        } catch (error) {
          cancellation = error;
          return;
        }
        if (this.isHopeless) return;
        const document = this.#waiting.shift();
        if (document === undefined) return;
        const key = keyOf(document);
        const scope = new CancellationScope({ cancellable: true });
        const ended = scope.run(() => work(document));
        this.#inWork.set(key, { document, scope, ended: ended.catch(() => undefined) });
        try {
          const result = await ended;
          this.#failedInARow = 0;
          this.#inWork.delete(key);
          onEnd(document, result);
        } catch (error) {
          this.#inWork.delete(key);
          if (isCancellation(error)) {
            if (this.#givenUp.has(key)) continue;
            // Also the other lanes end at their next document; throwing here would leave theirs unobserved.
            cancellation = error;
            return;
          }
          const failure = failureOf(error);
          this.#failed.set(key, { document, failure });
          this.#failedInARow = ALIKE_FOR_ALL.has(failure.type) ? this.#failedInARow + 1 : 0;
          onEnd(document, undefined);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(width, this.#waiting.length) }, lane));
    if (cancellation !== undefined) throw cancellation;
  }

  /** Puts failed documents back; where a window had failed, the rest is tried again too. Returns how many were failed. */
  retry(selection: DocumentSelection): number {
    this.#failedInARow = 0;
    const chosen = [...this.#failed].filter(([, { document }]) => isSelected(document, selection));
    for (const [key, { document }] of chosen) {
      this.#failed.delete(key);
      this.#waiting.push(document);
    }
    return chosen.length;
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
    await Promise.all(chosen.map(([, { ended }]) => ended));
  }
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
