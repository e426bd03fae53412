import type { Client } from '@temporalio/client';
import { sleep } from '../async/wait';
import type { Subject } from '../contract/failures';
import { TemporalUnavailable } from './errors';
import { addressOf } from './temporal-errors';

const DEFAULT_PATIENCE_MS = 120_000;

/** Measures for how long Temporal has not answered, and ends the wait after `patienceMs`. */
export class Outage {
  readonly #patienceMs: number;
  readonly #subject: Subject;
  #beganAtMs: number | undefined;

  constructor(
    private readonly client: Client,
    { patienceMs = DEFAULT_PATIENCE_MS, subject }: { patienceMs?: number | undefined; subject: Subject },
  ) {
    this.#patienceMs = patienceMs;
    this.#subject = subject;
  }

  /** ISO 8601; null while Temporal answers. */
  get since(): string | null {
    return this.#beganAtMs === undefined ? null : new Date(this.#beganAtMs).toISOString();
  }

  /** Temporal has answered. */
  over(): void {
    this.#beganAtMs = undefined;
  }

  /** Temporal has not answered. @throws TemporalUnavailable after `patienceMs` of that */
  note(error: unknown): void {
    this.#beganAtMs ??= Date.now();
    if (Date.now() - this.#beganAtMs < this.#patienceMs) return;
    const seconds = Math.round(this.#patienceMs / 1_000);
    throw new TemporalUnavailable(
      `Temporal has not answered at ${addressOf(this.client)} for ${seconds} s. The ${this.#subject} is not affected: it continues as soon as Temporal and a worker are there`,
      { cause: error },
    );
  }
}

/** Resolves after a time, or as soon as the signal is aborted. */
export async function pause(durationMs: number, signal?: AbortSignal): Promise<void> {
  await sleep(durationMs, signal).catch(() => undefined);
}
