import { hkdfSync } from 'node:crypto';
import type { ActivityDependencies } from '../activities/dependencies';
import type { Configuration } from '../configuration/schema';

/** More than one, so that the bunker is busy while a page ends. */
const PAGES_AT_ONCE = 3;
/** Limits how long progress, cancel, shutdown and other operators wait for a slow bunker. */
const YIELD_AFTER_MS = 10_000;
const MAX_PAUSE_MS = 30_000;
/** State that was read longer ago is read again before the seal. */
const FRESH_MS = 30_000;

/** The limits of a run, from the configuration and the constants of this release. */
export function boundsOf(
  configuration: Configuration,
): Pick<ActivityDependencies, 'limits' | 'patience' | 'documentsAtOnce'> {
  const { bunkerTimeoutMs, approvalTimeoutMs, relayTimeoutMs, retryIntervalMs } = configuration;
  return {
    limits: {
      documentsPerPage: configuration.documentsPerPage,
      pagesAtOnce: PAGES_AT_ONCE,
      pagesPerExecution: configuration.pagesPerExecution,
      // After the turn: the open requests to the bunker, one of them approved by a person, and the relays'
      // answers.
      attemptTimeoutMs: YIELD_AFTER_MS + approvalTimeoutMs + 6 * bunkerTimeoutMs + 5 * relayTimeoutMs,
      heartbeatTimeoutMs: configuration.heartbeatTimeoutMs,
    },
    patience: {
      documentTimeoutMs: configuration.documentTimeoutMs,
      firstPauseMs: retryIntervalMs,
      maxPauseMs: Math.max(MAX_PAUSE_MS, retryIntervalMs),
      yieldAfterMs: YIELD_AFTER_MS,
      freshMs: FRESH_MS,
    },
    // Half of them are with the signer, the others are before or after it.
    documentsAtOnce: configuration.bunkerConcurrency * 2,
  };
}

/** A separate key: a fingerprint reveals nothing about the key that encrypts the signers. */
export function fingerprintKeyOf(secretsKey: string): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secretsKey, '', 'republish-operator-configs state fingerprint', 32),
  );
}
