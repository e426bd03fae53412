/** The bounds of one document, from the worker's configuration. */
export interface Patience {
  /** How long a document may meet with nothing but trouble before it fails for good. */
  documentTimeoutMs: number;
  /** First pause after an attempt that got nowhere; doubles up to `maxPauseMs`. */
  firstPauseMs: number;
  maxPauseMs: number;
  /** After so long a page begins no further document, and is given out again. */
  yieldAfterMs: number;
  /** What was read longer ago is read again before it is sealed. */
  freshMs: number;
}

/** A gateway's relays come back by themselves, in minutes: no need to ask every second. */
export const RETURNS_LATER_MS = 30_000;

/**
 * The pause before a page that met with nothing but trouble is tried again.
 *
 * @param tries of the document that was tried the least, from 1
 * @param estimateMs when things may go better, where somebody knows
 */
export function pauseMs(
  { firstPauseMs, maxPauseMs }: Pick<Patience, 'firstPauseMs' | 'maxPauseMs'>,
  tries: number,
  estimateMs?: number,
): number {
  if (estimateMs !== undefined) return Math.max(estimateMs, 1);
  return Math.min(firstPauseMs * 2 ** Math.min(Math.max(tries, 1) - 1, 30), maxPauseMs);
}
