import { CancellationScope } from '@temporalio/workflow';
import type { LoadMachinesResult } from '../contract/activities';
import {
  type Counts,
  noCounts,
  type Outcome,
  OUTCOMES,
  type Phase,
  type Progress,
} from '../contract/progress';

/** Counts documents by type and outcome while a run goes on. */
export class Tally {
  phase: Phase = 'checking signer';
  #byType: Record<string, Counts> = {};
  /** The scope of the workflow itself: queries run outside of any. */
  #scope = CancellationScope.current();

  begin(documentTypes: string[]): void {
    this.phase = 'loading machines';
    for (const type of documentTypes) this.#byType[type] = noCounts();
  }

  addPage({ machines, settled }: LoadMachinesResult): void {
    for (const { documentTypes } of machines) {
      for (const type of documentTypes) this.#of(type).planned += 1;
    }
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

  /** Takes over what the audit says, which knows also the documents that were never begun. */
  settle(counts: Record<string, Record<Outcome, number>>): void {
    for (const [type, outcomes] of Object.entries(counts)) Object.assign(this.#of(type), outcomes);
  }

  progress(): Progress {
    const total = noCounts();
    for (const counts of Object.values(this.#byType)) {
      total.planned += counts.planned;
      for (const outcome of OUTCOMES) total[outcome] += counts[outcome];
    }
    return {
      phase: this.phase,
      cancelling: this.#scope.consideredCancelled,
      ...total,
      documentTypes: this.#byType,
    };
  }

  /** Markdown for the Temporal UI. */
  summary(): string {
    const header = `| document type | planned | ${OUTCOMES.join(' | ')} |\n|---|---|${'---|'.repeat(OUTCOMES.length)}`;
    const rows = Object.entries(this.#byType).map(
      ([type, counts]) =>
        `| ${type} | ${counts.planned} | ${OUTCOMES.map((outcome) => counts[outcome]).join(' | ')} |`,
    );
    return [`**${this.phase}**`, '', header, ...rows].join('\n');
  }

  #of(documentType: string): Counts {
    return (this.#byType[documentType] ??= noCounts());
  }
}
