import type { RunLimits } from '../../contract/activities';

/** How much of a document's time its pauses may fill; the rest is for the attempts themselves. */
const SHARE_OF_PAUSES = 0.75;

/**
 * The pause after an attempt that waits for something which comes back in minutes, so that all attempts together last for
 * about the document's time: each pause is longer than the one before by the same step (30 s, 60 s, 90 s and so on with ten
 * attempts in half an hour). Never shorter than the usual pause.
 *
 * @param attempt the number of the attempt that has failed, from 1
 */
export function patientPauseMs(
  limits: Pick<
    RunLimits,
    'documentTimeoutMs' | 'maxAttempts' | 'initialRetryIntervalMs' | 'maxRetryIntervalMs'
  >,
  attempt: number,
): number {
  const { documentTimeoutMs, maxAttempts, initialRetryIntervalMs, maxRetryIntervalMs } = limits;
  const steps = (maxAttempts * (maxAttempts - 1)) / 2;
  const patientMs = (documentTimeoutMs * SHARE_OF_PAUSES * attempt) / Math.max(1, steps);
  const usualMs = Math.min(initialRetryIntervalMs * 2 ** (attempt - 1), maxRetryIntervalMs);
  return Math.round(Math.max(patientMs, usualMs));
}
