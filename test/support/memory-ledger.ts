import type {
  ChangedDocuments,
  LedgerView,
  LoadMachinesResult,
  MachineCursor,
  OpenedRun,
  PageCounts,
  PageResult,
  RunLimits,
} from '../../contract/activities';
import { pageOf } from '../../rules/page-numbers';
import type { DocumentSelection } from '../../contract/control';
import type { Failure } from '../../contract/failures';
import { COUNTED, isGivenUp, type Outcome, type OutcomeCounts } from '../../contract/progress';

export interface MemoryDocument {
  page: number;
  documentType: string;
  machineId: string;
  outcome: Outcome | null;
  failure?: Failure;
  isSigned: boolean;
  /** How often it was tried in vain. */
  tries: number;
}

export interface MemoryLedgerOptions {
  documentTypes?: string[];
  machines?: number;
  machinesPerCall?: number;
  limits?: Partial<RunLimits>;
}

/** A ledger in memory, with what the workflow sees of it: outcomes, counts and statements. */
export class MemoryLedger {
  readonly documents: MemoryDocument[] = [];
  readonly opened: OpenedRun;
  readonly machines: string[];
  #machinesPerCall: number;

  constructor({
    documentTypes = ['fees', 'cassettes'],
    machines = 3,
    machinesPerCall = Infinity,
    limits,
  }: MemoryLedgerOptions = {}) {
    this.machines = Array.from({ length: machines }, (_, index) => `m${String(index).padStart(4, '0')}`);
    this.#machinesPerCall = machinesPerCall;
    this.opened = {
      operatorPubkey: 'f'.repeat(64),
      documentTypes,
      limits: {
        documentsPerPage: 100,
        pagesAtOnce: 2,
        pagesPerExecution: 200,
        attemptTimeoutMs: 60_000,
        heartbeatTimeoutMs: 15_000,
        ...limits,
      },
    };
  }

  load(after: MachineCursor | undefined, toSign?: number): LoadMachinesResult {
    const from = after?.machines ?? 0;
    const machines = this.machines.slice(from, from + this.#machinesPerCall);
    const planned = machines.flatMap((machineId, index) =>
      this.opened.documentTypes.map((documentType, typeIndex): MemoryDocument => {
        const page = pageOf(this.opened, from + index, typeIndex);
        return { page, documentType, machineId, outcome: null, isSigned: false, tries: 0 };
      }),
    );
    // A call that is repeated finds what it has written.
    for (const document of planned)
      if (!this.documents.some((known) => isSame(known, document))) this.documents.push(document);
    const upTo = from + machines.length;
    const pages = [...new Set(planned.map(({ page }) => page))].sort((a, b) => a - b);
    return {
      opened: this.opened,
      pages: pages.map((page) => [page, this.countsOf(page)]),
      machines: upTo,
      toSign: toSign ?? planned.length,
      failures: [],
      ...(upTo < this.machines.length
        ? {
            next: {
              machineId: machines.at(-1) ?? '',
              machines: upTo,
              documentsPerPage: this.opened.limits.documentsPerPage,
            },
          }
        : {}),
    };
  }

  open(page?: number): MemoryDocument[] {
    return this.documents.filter((row) => row.outcome === null && (page === undefined || row.page === page));
  }

  settle(document: MemoryDocument, outcome: Outcome, failure?: Failure): void {
    document.outcome = outcome;
    delete document.failure;
    if (failure !== undefined) document.failure = failure;
  }

  fail(page: number, failure: Failure): void {
    for (const document of this.open(page)) this.settle(document, 'failed', failure);
  }

  countsOf(page: number): PageCounts {
    return countsOf(this.documents.filter((document) => document.page === page));
  }

  pageResult(page: number): PageResult {
    const failures = this.#failures((document) => document.page === page, 10);
    const waiting = this.open(page)
      .filter(({ tries }) => tries > 0)
      .slice(0, 20)
      .map(({ documentType, machineId, tries }) => ({ documentType, machineId, why: 'signature', tries }));
    return {
      counts: this.countsOf(page),
      ...(failures.length > 0 ? { failures } : {}),
      ...(waiting.length > 0 ? { waiting } : {}),
    };
  }

  get counts(): Record<string, PageCounts> {
    const types = [...new Set(this.documents.map(({ documentType }) => documentType))];
    return Object.fromEntries(
      types.map((type) => [
        type,
        countsOf(this.documents.filter(({ documentType }) => documentType === type)),
      ]),
    );
  }

  view(): LedgerView {
    const pages = [...new Set(this.open().map(({ page }) => page))].sort((a, b) => a - b);
    return {
      pages: pages.map((page) => [page, this.countsOf(page)]),
      counts: this.counts,
      failures: this.#failures(() => true, 50),
    };
  }

  retry(selection: DocumentSelection): ChangedDocuments {
    const chosen = this.documents.filter((row) => row.outcome === 'failed' && isSelected(row, selection));
    for (const document of chosen) {
      document.outcome = null;
      delete document.failure;
    }
    for (const document of this.open()) document.tries = 0;
    return { ...this.view(), documents: chosen.length };
  }

  skip(selection: DocumentSelection): ChangedDocuments {
    const chosen = this.documents.filter(
      (row) => (row.outcome === null || row.outcome === 'failed') && isSelected(row, selection),
    );
    for (const document of chosen) this.settle(document, 'skipped', { type: 'GivenUp', message: 'given up' });
    return { ...this.view(), documents: chosen.length };
  }

  #failures(selects: (document: MemoryDocument) => boolean, limit: number): LedgerView['failures'] {
    return this.documents
      .filter((row) => row.outcome === 'failed' && selects(row))
      .slice(0, limit)
      .map(({ documentType, machineId, failure }) => ({
        documentType,
        machineId,
        ...(failure ?? { type: 'Unexpected', message: 'no reason' }),
      }));
  }
}

/** As the ledger counts: what is 0 is left out. */
function countsOf(documents: MemoryDocument[]): PageCounts {
  const counts: PageCounts = {};
  const add = (key: keyof PageCounts): void => void (counts[key] = (counts[key] ?? 0) + 1);
  for (const { outcome, isSigned, failure } of documents) {
    add(outcome ?? 'open');
    if (isGivenUp({ outcome, failureType: failure?.type ?? null })) add('givenUp');
    const isStanding = outcome === 'published' || outcome === 'unchanged' || outcome === 'superseded';
    if (isSigned || isStanding) for (const stage of ['encrypted', 'signed'] as const) add(stage);
    if (isStanding) for (const stage of ['sent', 'standing'] as const) add(stage);
  }
  return counts;
}

/** Documents by outcome, as an audit has them. */
export function outcomesOf(counts: Record<string, PageCounts>): Record<string, OutcomeCounts> {
  const ofOne = (ofType: PageCounts): OutcomeCounts =>
    Object.fromEntries(COUNTED.map((name) => [name, ofType[name] ?? 0])) as unknown as OutcomeCounts;
  return Object.fromEntries(Object.entries(counts).map(([type, ofType]) => [type, ofOne(ofType)]));
}

function isSelected(row: MemoryDocument, { documentType, machineId }: DocumentSelection): boolean {
  return (
    (documentType == null || row.documentType === documentType) &&
    (machineId == null || row.machineId === machineId)
  );
}

function isSame(one: MemoryDocument, other: MemoryDocument): boolean {
  return one.documentType === other.documentType && one.machineId === other.machineId;
}
