import type { Behind, DocumentPosition, NextDocumentsInput } from '../contract/activities';
import type { DocumentSelection } from '../contract/control';
import { nextDocuments } from './activities';
import type { CarriedOver, Pass } from './carried-over';
import { documentsOf, type DocumentQueue, type QueuedDocument } from './document-queue';

export type LedgerReference = Pick<NextDocumentsInput, 'runId' | 'numbered'>;

export interface PagesOptions {
  /** How documents are asked for in the ledger: of which run, and how they are to be listed. */
  reference(): LedgerReference;
  queue: DocumentQueue;
  /** Documents of a page. */
  pageSize(): number;
  /** Told of documents that an earlier execution has given up, and that are taken up again. */
  onTakenUp(documents: QueuedDocument[]): void;
}

/**
 * Brings the open documents of a run from the ledger into its queue: a page at a time, and the next one while documents of
 * the last still wait, so that the end of a page holds nothing up. What is in memory stays small, however large the run.
 *
 * A run whose documents were all listed while it was planned has no pages, and nothing here does anything.
 */
export class LedgerPages {
  /** Where the execution began. */
  #start: DocumentPosition | undefined;
  /** The last document that was listed. */
  #listed: DocumentPosition | undefined;
  #hasMore = false;
  #passes: Pass[] = [];
  #loading: Promise<void> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #inTurn = 0;

  constructor(
    private readonly options: PagesOptions,
    carried?: CarriedOver,
  ) {
    if (carried === undefined) return;
    this.#start = carried.position;
    this.#listed = carried.position;
    this.#hasMore = carried.hasMore;
    this.#passes = carried.passes;
  }

  /** Nothing is left to be listed. */
  get isEmpty(): boolean {
    return !this.#hasMore && this.#passes.length === 0;
  }

  /** What the next execution needs to go on here. */
  get carriedOver(): Pick<CarriedOver, 'position' | 'hasMore' | 'passes' | 'again'> {
    const position = this.options.queue.position ?? this.#start;
    return {
      ...(position === undefined ? {} : { position }),
      hasMore: this.#hasMore || this.options.queue.hasInOrder,
      passes: this.#passes,
      again: this.options.queue.again.map(({ machineId, name, documentType, number }) => ({
        machineId,
        name,
        documentType,
        ...(number === undefined ? {} : { number }),
      })),
    };
  }

  /** A page of the plan that came with its documents. */
  list(documents: QueuedDocument[]): void {
    this.options.queue.add(documents, { inOrder: true });
    const last = documents.at(-1);
    if (last !== undefined) this.#listed = positionOf(last);
  }

  /** A page of the plan that is read when its turn comes, and with it all that follow. */
  leaveInLedger(): void {
    this.#hasMore = true;
  }

  /** Documents that earlier executions have left are tried again too. */
  tryAgain(selection: Pick<DocumentSelection, 'documentType' | 'machineId'>): void {
    if (this.#start !== undefined) this.#passes.push({ selection, upTo: this.#start });
  }

  /** For those who ask the ledger: which documents it alone has a list of, and up to where they have been listed. */
  get limits(): Behind & { upTo?: DocumentPosition } {
    return {
      ...(this.#hasMore && this.#listed !== undefined ? { upTo: this.#listed } : {}),
      ...(this.#start === undefined
        ? {}
        : { behind: { upTo: this.#start, except: this.options.queue.takenUp.map(positionOf) } }),
    };
  }

  /** Called whenever a document is taken from the queue. */
  prefetch(): void {
    // What fails here is tried again, and told to whoever finds the queue empty.
    if (!this.isEmpty && this.options.queue.waiting < this.options.pageSize() / 2)
      this.load().catch(() => undefined);
  }

  /** Resolves when another page is in the queue, or nothing is left. */
  load(): Promise<void> {
    this.#loading ??= this.exclusively(() => this.#loadPage()).finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  /** Resolves when no page is on its way. */
  async untilIdle(): Promise<void> {
    await this.#loading?.catch(() => undefined);
  }

  /**
   * One at a time: a page that is read while documents are given up or put back would have them twice, or not at all. Where
   * everything was listed at once, the order of things stays what it was.
   */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    if (this.isEmpty && this.#start === undefined) return work();
    // At once where nothing is under way: the order of the commands is then the order of the calls.
    const turn = this.#inTurn === 0 ? work() : this.#turn.then(work);
    this.#inTurn += 1;
    const over = (): void => {
      this.#inTurn -= 1;
    };
    this.#turn = turn.then(over, over);
    return turn;
  }

  async #loadPage(): Promise<void> {
    const pass = this.#passes[0];
    if (pass === undefined) {
      const page = await nextDocuments.executeWithOptions({ summary: 'next documents' }, [
        {
          ...this.options.reference(),
          ...(this.#listed === undefined ? {} : { after: this.#listed }),
          limit: this.options.pageSize(),
        },
      ]);
      this.list(documentsOf(page));
      this.#hasMore = page.next !== undefined;
      return;
    }
    const page = await nextDocuments.executeWithOptions({ summary: 'next documents' }, [
      {
        ...this.options.reference(),
        ...pass,
        limit: this.options.pageSize(),
      },
    ]);
    this.options.onTakenUp(this.options.queue.add(documentsOf(page)));
    if (page.next === undefined) this.#passes.shift();
    else pass.after = page.next;
  }
}

function positionOf({ machineId, documentType }: DocumentPosition): DocumentPosition {
  return { machineId, documentType };
}
