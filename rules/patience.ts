/** The bounds of one document, from the worker's configuration. */
export interface Patience {
  /** How long a document may be in trouble before its failure is final. */
  documentTimeoutMs: number;
  /** First pause after an attempt without progress; it doubles up to `maxPauseMs`. */
  firstPauseMs: number;
  maxPauseMs: number;
  /** After this time a page begins no further document and yields. */
  yieldAfterMs: number;
  /** A state that was read longer ago is read again before it is sealed. */
  freshMs: number;
}

/** A gateway reconnects its relays in minutes: it is not asked every second. */
export const RETURNS_LATER_MS = 30_000;

/**
 * The pause before a page with nothing but trouble is tried again.
 *
 * @param tries of the document with the fewest tries, from 1
 * @param estimateMs when a try may succeed, if a pacer knows
 */
export function pauseMs(
  { firstPauseMs, maxPauseMs }: Pick<Patience, 'firstPauseMs' | 'maxPauseMs'>,
  tries: number,
  estimateMs?: number,
): number {
  if (estimateMs !== undefined) return Math.max(estimateMs, 1);
  return Math.min(firstPauseMs * 2 ** Math.min(Math.max(tries, 1) - 1, 30), maxPauseMs);
}
