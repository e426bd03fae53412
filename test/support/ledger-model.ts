import type { Outcome } from '../../contract/progress';

/** A document, as the rules of the ledger see it. */
export interface ModelDocument {
  event: string | null;
  signature: string | null;
  reused: boolean;
  resealed: boolean;
  outcome: Outcome | null;
  failureType: string | null;
  tries: number;
}

const NO_TROUBLE = { failureType: null, tries: 0 };

/** Outcomes that only a sweep writes, and only a sweep or a person changes. */
const OF_SWEEP = ['DocumentLost', 'PlanOutdated', 'StateChanged'];

/** The rules of the ledger (design.md) for one page of a run, in memory and one after the other. */
export class LedgerModel {
  closed = false;
  holder = 0;
  sweeps = 0;
  readonly documents: ModelDocument[];

  constructor(documents: number) {
    this.documents = Array.from({ length: documents }, () => ({
      event: null,
      signature: null,
      reused: false,
      resealed: false,
      outcome: null,
      ...NO_TROUBLE,
    }));
  }

  #of(index: number): ModelDocument {
    const document = this.documents[index];
    if (document === undefined) throw new Error(`there is no document ${index}`);
    return document;
  }

  beginPage(): void {
    if (!this.closed) this.holder += 1;
  }

  seal(index: number, event: string, signature: string | null, replaces?: string): void {
    const document = this.#of(index);
    if (document.outcome !== null) return;
    const exchanges =
      document.event === replaces && event !== replaces && document.reused && !document.resealed;
    if (document.event !== null && !exchanges) return;
    Object.assign(document, NO_TROUBLE, {
      resealed: document.event !== null,
      event,
      signature,
      reused: signature !== null,
    });
  }

  sign(index: number, event: string, signature: string): void {
    const document = this.#of(index);
    if (document.outcome === null && document.event === event && document.signature === null)
      Object.assign(document, NO_TROUBLE, { signature });
  }

  settle(index: number, event: string, outcome: Outcome): void {
    const document = this.#of(index);
    if (this.closed || document.event !== event) return;
    const isOfSweep = OF_SWEEP.includes(document.failureType ?? '');
    if (document.outcome === null || (document.outcome === 'failed' && !isOfSweep))
      Object.assign(document, NO_TROUBLE, { outcome });
  }

  trouble(
    index: number,
    holder: number,
    { type, final, timeIsOver }: { type: string; final: boolean; timeIsOver: boolean },
  ): void {
    const document = this.#of(index);
    if (this.closed || holder !== this.holder || document.outcome !== null) return;
    document.failureType = type;
    document.tries += 1;
    if (final || (document.tries >= 3 && timeIsOver)) document.outcome = 'failed';
  }

  settlePage(type: string): void {
    if (this.closed) return;
    this.holder += 1;
    for (const document of this.documents)
      if (document.outcome === null) Object.assign(document, { outcome: 'failed', failureType: type });
  }

  /** Of one document, or of all. */
  retry(index: number | undefined): number {
    const unpublished = this.#unpublished(index);
    if (unpublished.length > 0) this.holder += 1;
    const changed = unpublished.filter(({ outcome, tries, event }) =>
      outcome === 'failed' ? event !== null : tries > 0,
    );
    for (const document of changed) Object.assign(document, NO_TROUBLE, { outcome: null });
    return changed.length;
  }

  skip(index: number | undefined): number {
    const unpublished = this.#unpublished(index);
    if (unpublished.length > 0) this.holder += 1;
    for (const document of unpublished)
      Object.assign(document, { outcome: 'skipped', failureType: 'GivenUp' });
    return unpublished.length;
  }

  #unpublished(index: number | undefined): ModelDocument[] {
    if (this.closed) return [];
    return this.documents.filter(
      ({ outcome }, at) =>
        (index === undefined || at === index) && (outcome === null || outcome === 'failed'),
    );
  }

  resume(): void {
    if (this.closed) return;
    for (const document of this.documents) if (document.outcome === null) Object.assign(document, NO_TROUBLE);
  }

  swept(
    index: number,
    sweep: number,
    { event, outcome, type }: { event: string; outcome: Outcome; type: string },
  ): void {
    const document = this.#of(index);
    const { outcome: before } = document;
    if (this.closed || document.event !== event || before === 'skipped') return;
    if (outcome === 'failed') {
      if (before !== null && before !== 'failed' && sweep === this.sweeps)
        Object.assign(document, { outcome, failureType: type, tries: 0 });
    } else if (outcome === 'superseded' || before === 'failed' || before === null) {
      Object.assign(document, NO_TROUBLE, { outcome });
    }
  }

  close(): void {
    for (const document of this.documents) {
      if (document.outcome !== null) continue;
      document.outcome = 'failed';
      document.failureType ??= document.event === null ? 'NotAttempted' : 'Interrupted';
    }
    this.closed = true;
  }
}
