import type { LedgerView, PageCounts } from '../contract/activities';
import {
  COUNTED,
  type Counts,
  noCounts,
  noStages,
  OUTCOMES,
  type OutcomeCounts,
  type Stages,
} from '../contract/progress';

/**
 * Counts of a run, by document type. They are shown, and nothing is decided by them. They follow the results
 * of pages, and each view of the ledger corrects them.
 */
export class Tally {
  /** The counts of pages that are known one by one. Other pages are only in the total. */
  #pages = new Map<number, PageCounts>();

  constructor(private counts: Record<string, PageCounts> = {}) {}

  get byType(): Record<string, PageCounts> {
    return this.counts;
  }

  /** Types without a document are shown too. */
  know(documentTypes: string[]): void {
    for (const type of documentTypes) this.counts[type] ??= {};
  }

  /** A page that was planned. */
  add(page: number, documentType: string, counts: PageCounts): void {
    this.#pages.set(page, {});
    this.replace(page, documentType, counts);
  }

  /** What a page has now. */
  replace(page: number, documentType: string, counts: PageCounts): void {
    const before = this.#pages.get(page) ?? counts;
    this.#pages.set(page, counts);
    const total = (this.counts[documentType] ??= {});
    for (const key of new Set([...keysOf(before), ...keysOf(counts)]))
      total[key] = Math.max(0, (total[key] ?? 0) + (counts[key] ?? 0) - (before[key] ?? 0));
  }

  adopt({ pages, counts }: Pick<LedgerView, 'pages' | 'counts'>): void {
    this.#pages = new Map(pages);
    const none = Object.keys(this.counts).map((type) => [type, {}] as const);
    this.counts = { ...Object.fromEntries(none), ...counts };
  }

  /** Takes the counts of the audit row, in which every document has an outcome. */
  settle(outcomes: Record<string, OutcomeCounts>): void {
    for (const [type, counts] of Object.entries(outcomes))
      this.counts[type] = { ...this.counts[type], open: 0, ...counts };
  }

  get documentTypes(): Record<string, Counts> {
    return Object.fromEntries(Object.entries(this.counts).map(([type, counts]) => [type, countsOf(counts)]));
  }

  get total(): Counts & { open: number; stages: Stages } {
    const total = { ...noCounts(), open: 0, stages: noStages() };
    for (const counts of Object.values(this.counts)) {
      const ofType = countsOf(counts);
      for (const key of ['planned', ...COUNTED] as const) total[key] += ofType[key];
      for (const stage of Object.keys(total.stages) as (keyof Stages)[])
        total.stages[stage] += counts[stage] ?? 0;
      total.open += counts.open ?? 0;
    }
    return total;
  }
}

/** All documents, with or without an outcome. */
export function documentsOf(counts: PageCounts): number {
  return OUTCOMES.reduce((sum, outcome) => sum + (counts[outcome] ?? 0), counts.open ?? 0);
}

function countsOf(counts: PageCounts): Counts {
  const outcomes = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, counts[outcome] ?? 0]));
  const { skipped = 0, givenUp = 0 } = counts;
  return { ...noCounts(), ...outcomes, planned: documentsOf(counts) - skipped, givenUp };
}

function keysOf(counts: PageCounts): (keyof PageCounts)[] {
  return Object.keys(counts) as (keyof PageCounts)[];
}
