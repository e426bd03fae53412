import type { LedgerCounts, LoadMachinesResult } from '../contract/activities';
import { documentsOf } from './document-queue';
import { type Counts, noCounts, type Outcome, OUTCOMES, type Phase } from '../contract/progress';

/** Counts documents by type and outcome while a run goes on. */
export class Tally {
  phase: Phase = 'checking signer';
  #byType: Record<string, Counts>;

  constructor(counts: Record<string, Counts> = {}) {
    this.#byType = counts;
  }

  begin(documentTypes: string[]): void {
    this.phase = 'loading machines';
    for (const type of documentTypes) this.#byType[type] = noCounts();
  }

  addPage(page: LoadMachinesResult): void {
    const { open = {}, settled } = page;
    for (const { documentType } of documentsOf(page)) this.#of(documentType).planned += 1;
    for (const [type, documents] of Object.entries(open)) this.#of(type).planned += documents;
    for (const [type, counts] of Object.entries(settled)) {
      for (const outcome of OUTCOMES) {
        const documents = counts[outcome] ?? 0;
        this.#of(type)[outcome] += documents;
        if (outcome !== 'skipped') this.#of(type).planned += documents;
      }
    }
  }

  count(documentType: string, outcome: Outcome): void {
    this.#of(documentType)[outcome] += 1;
  }

  /** A document that had failed waits for another attempt. */
  takeUp(documentType: string): void {
    this.#of(documentType).failed -= 1;
  }

  /**
   * Takes over what the ledger says about bad rows and documents that were given up.
   *
   * @param failures what failed in its activity, which the ledger does not count before the audit
   * @param earlier the same of earlier executions, by document type
   */
  adopt(
    { counts }: LedgerCounts,
    failures: { documentType: string }[],
    earlier: Record<string, number>,
  ): void {
    for (const [type, { failed, skipped }] of Object.entries(counts)) {
      const ours = this.#of(type);
      ours.planned -= skipped - ours.skipped;
      ours.skipped = skipped;
      const inMemory = failures.filter(({ documentType }) => documentType === type).length;
      ours.failed = failed + inMemory + (earlier[type] ?? 0);
    }
  }

  /** Takes over what the audit says, which knows also the documents that were never begun. */
  settle(counts: Record<string, Record<Outcome, number>>): void {
    for (const [type, outcomes] of Object.entries(counts)) Object.assign(this.#of(type), outcomes);
  }

  /** Documents that are neither at an outcome nor, as `inWork` of them, on their way to one. */
  waiting(inWork: number): number {
    const { planned, published, unchanged, superseded, failed } = this.total;
    return Math.max(0, planned - published - unchanged - superseded - failed - inWork);
  }

  get total(): Counts {
    const total = noCounts();
    for (const counts of Object.values(this.#byType)) {
      total.planned += counts.planned;
      for (const outcome of OUTCOMES) total[outcome] += counts[outcome];
    }
    return total;
  }

  get byType(): Record<string, Counts> {
    return this.#byType;
  }

  #of(documentType: string): Counts {
    return (this.#byType[documentType] ??= noCounts());
  }
}
