import { remedyFor } from '../../../contract/failures';
import { givenUpWords, howFar } from '../../../rules/how-far';
import { documentOf } from '../../../rules/machine-name';
import { notAttemptedLine, tellFailures } from '../../../rules/told-failures';
import type { RunStatus } from '../../run-status';
import { undecidedCounts, blockedSentence } from './attention';
import { commandLine, completeCommands } from '../command-lines';
import { attemptOf, nameOf, reasonOf, stageWords, troubleOf } from './lists';

/** More lines would hide the rest. The audit has all of them. */
const MAX_AT_ONCE = 5;
/** A change of the counts alone is shown at most this often. Everything else is shown at once. */
const COUNTS_EVERY_MS = 5_000;

/** Shows a run in lines, for logs and pipes: only what is new since the last status, each thing once. */
export class PlainLines {
  #told = new Set<string>();
  #counts = '';
  #phase = '';
  #countsAtMs = -Infinity;
  /** Type of the obstacle that was shown last. */
  #inTheWay: string | undefined;

  constructor(private readonly operator: string) {}

  /** @returns the lines to write now */
  see(status: RunStatus, nowMs: number): string[] {
    return [
      ...this.#connection(status),
      ...this.#waits(status),
      ...this.#limited(
        status.retrying.map((retry) => [
          `retrying ${nameOf(retry)} ${retry.type}`,
          `retrying ${nameOf(retry)}, ${attemptOf(retry)}: ${reasonOf(retry)}`,
        ]),
      ),
      ...this.#limited(
        // Only documents with trouble: otherwise each open document would print a line.
        status.waiting
          .filter(({ since }) => since !== undefined)
          .map((document) => [
            `waiting ${documentOf(document)} ${document.type ?? document.why}`,
            `waiting: ${documentOf(document)}, ${troubleOf(document, nowMs)}: ${document.why}`,
          ]),
      ),
      ...this.#failures(status),
      ...this.#progress(status, nowMs),
    ].map((text) => completeCommands(text, this.operator));
  }

  #connection(status: RunStatus): string[] {
    const { unreachableSince, closedAt } = status;
    const lines = this.#whileTrue(
      'unreachable',
      unreachableSince !== null,
      'Temporal does not answer; asking on. The run is not affected',
      'Temporal answers again',
    );
    return unreachableSince !== null || closedAt !== null ? lines : lines.concat(this.#obstacle(status));
  }

  /** Only a new type is shown: the message counts attempts. */
  #obstacle({ obstacle, cancelRequested, progress }: RunStatus): string[] {
    const { operator } = this;
    const lines: string[] = [];
    if (this.#inTheWay !== obstacle?.type)
      lines.push(
        obstacle === null
          ? 'a worker continues it'
          : `${obstacle.type}: ${obstacle.message}. Remedy: ${remedyFor(obstacle.type)}`,
      );
    this.#inTheWay = obstacle?.type;
    const waits = obstacle !== null && cancelRequested && !progress?.cancelling;
    const told = `the cancellation waits until a worker continues the run. To end the run now, without a worker: ${commandLine('end', operator)}`;
    return [...lines, ...(waits ? this.#once('cancellation waits', told) : [])];
  }

  #waits({ approvals, progress, closedAt }: RunStatus): string[] {
    if (closedAt !== null) return [];
    const lines = approvals.flatMap((url) =>
      this.#once(url, `the bunker asks for approval; approve here: ${url}`),
    );
    if (progress === null) return lines;
    const { paused, phase, blocked, planned } = progress;
    const words = `${paused?.by ? ` by ${paused.by}` : ''}${paused?.reason ? `: ${paused.reason}` : ''}`;
    const { operator } = this;
    lines.push(
      ...this.#whileTrue(
        'paused',
        paused !== undefined,
        `paused${words}; go on with: ${commandLine('resume', operator)}`,
        'resumed',
      ),
      ...this.#whileTrue(
        'blocked',
        blocked !== undefined,
        blocked === undefined
          ? ''
          : `${blockedSentence(planned)} ${blocked.type}: ${blocked.message}. Remedy: ${remedyFor(blocked.type)}`,
        'the run begins documents again',
      ),
      ...this.#whileTrue(
        'holding',
        phase === 'holding',
        `holding: waits for a decision${undecidedCounts(progress)}. Try again: ${commandLine('retry', operator)}; give up: ${commandLine('skip', operator)}; end: ${commandLine('cancel', operator)}`,
        'continues',
      ),
    );
    return lines;
  }

  #failures({ progress }: RunStatus): string[] {
    if (progress === null) return [];
    const { reasons, notAttempted } = tellFailures(progress, { cause: progress.blocked });
    const failed = reasons.flatMap(({ type, message, documents }) =>
      documents.map((document) => {
        const text = `failed: ${documentOf(document)}: ${type}: ${message}`;
        return [text, text] as const;
      }),
    );
    return [
      ...this.#limited(failed),
      ...(notAttempted === 0 ? [] : this.#once('not attempted', notAttemptedLine(notAttempted))),
    ];
  }

  #progress({ progress, stages, closedAt }: RunStatus, nowMs: number): string[] {
    if (progress === null || progress.phase === 'done' || closedAt !== null) return [];
    const { phase, published, unchanged, skipped, givenUp, failed } = progress;
    const { done, of } = howFar(progress);
    const counts =
      of === 0
        ? phase
        : `${phase}: ${done} of ${of} documents (${published} published, ${unchanged} unchanged, ` +
          `${skipped - givenUp} skipped${givenUpWords(progress)}, ${failed} failed); ${stageWords(stages)}`;
    const isDue = phase !== this.#phase || nowMs - this.#countsAtMs >= COUNTS_EVERY_MS;
    if (counts === this.#counts || !isDue) return [];
    this.#counts = counts;
    this.#phase = phase;
    this.#countsAtMs = nowMs;
    return [counts];
  }

  #limited(entries: (readonly [key: string, text: string])[]): string[] {
    const fresh = entries.filter(([key]) => !this.#told.has(key));
    for (const [key] of fresh) this.#told.add(key);
    const lines = fresh.slice(0, MAX_AT_ONCE).map(([, text]) => text);
    return fresh.length > lines.length ? [...lines, `and ${fresh.length - lines.length} more`] : lines;
  }

  #once(key: string, text: string): string[] {
    if (this.#told.has(key)) return [];
    this.#told.add(key);
    return [text];
  }

  /** One line when it becomes true, another when it ends. */
  #whileTrue(key: string, isSo: boolean, begins: string, ends: string): string[] {
    if (isSo) return this.#once(key, begins);
    return this.#told.delete(key) ? [ends] : [];
  }
}
