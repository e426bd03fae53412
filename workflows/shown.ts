import type { LedgerView, LoadMachinesResult, PageResult, PersistAuditResult } from '../contract/activities';
import type { DocumentFailure } from '../contract/failures';
import { byMachineAndType } from '../rules/machine-name';
import type { Progress, WaitingDocument } from '../contract/progress';
import { Tally } from '../rules/tally';

/** Most documents in the answer of the query. The ledger has all of them. */
const MAX_FAILURES = 50;
const MAX_WAITING = 20;

type Document = Pick<DocumentFailure, 'documentType' | 'machineId'>;
/** `page` is absent for documents that came from the ledger. */
type OfPage<T> = { page?: number; document: T };

/** What a run shows of its documents: counts, failures and waiting documents. It decides nothing. */
export class Shown {
  readonly tally: Tally;
  #failures: OfPage<DocumentFailure>[] = [];
  #waiting: OfPage<WaitingDocument>[] = [];
  #auditHead: string | undefined;

  constructor(counts?: Tally['byType']) {
    this.tally = new Tally(counts);
  }

  loaded({ opened, pages, failures }: LoadMachinesResult, typeOf: (page: number) => string): void {
    this.tally.know(opened.documentTypes);
    for (const [page, counts] of pages) this.tally.add(page, typeOf(page), counts);
    this.#failures = merged(this.#failures, undefined, failures, MAX_FAILURES);
  }

  returned(page: number, documentType: string, result: PageResult): void {
    this.#failures = merged(this.#failures, page, result.failures ?? [], MAX_FAILURES);
    this.#waiting = merged(this.#waiting, page, result.waiting ?? [], MAX_WAITING);
    this.tally.replace(page, documentType, result.counts);
  }

  viewed(view: LedgerView): void {
    this.tally.adopt(view);
    this.#failures = merged([], undefined, view.failures, MAX_FAILURES);
    if (view.pages.length === 0) this.#waiting = [];
  }

  audited({ counts, failures, auditHead }: PersistAuditResult): void {
    this.#auditHead = auditHead;
    this.tally.settle(counts);
    this.#failures = merged([], undefined, failures, MAX_FAILURES);
    this.#waiting = [];
  }

  get progress(): Pick<Progress, 'failures' | 'waiting' | 'documentTypes' | 'auditHead'> & Tally['total'] {
    const { total, documentTypes } = this.tally;
    // The order in which pages end is random.
    const inOrder = byMachineAndType(Object.keys(documentTypes));
    return {
      ...(this.#auditHead === undefined ? {} : { auditHead: this.#auditHead }),
      ...total,
      failures: this.#failures.map(({ document }) => document).sort(inOrder),
      waiting: this.#waiting.map(({ document }) => document).sort(inOrder),
      documentTypes,
    };
  }
}

/** Replaces the earlier documents of the page, and the same documents of other pages. */
function merged<T extends Document>(
  known: OfPage<T>[],
  page: number | undefined,
  added: T[],
  limit: number,
): OfPage<T>[] {
  const keys = new Set(added.map(keyOf));
  const others = known.filter(
    (entry) => (page === undefined || entry.page !== page) && !keys.has(keyOf(entry.document)),
  );
  const entries = added.map((document) => ({ ...(page === undefined ? {} : { page }), document }));
  return [...others, ...entries].slice(0, limit);
}

function keyOf({ documentType, machineId }: Document): string {
  return `${documentType}/${machineId}`;
}
