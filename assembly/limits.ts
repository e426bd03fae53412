import { hkdfSync } from 'node:crypto';
import type { ActivityDependencies } from '../activities/dependencies';
import type { Configuration } from '../configuration/schema';

export const RELAY_CONNECT_TIMEOUT_MS = 5_000;

/** Some end while the others keep the bunker busy. */
const PAGES_AT_ONCE = 3;
/** Progress, cancel, shutdown and other operators wait no longer for a slow bunker. */
const YIELD_AFTER_MS = 10_000;
const MAX_PAUSE_MS = 30_000;
/** What was read longer ago is read again before it is sealed. */
const FRESH_MS = 30_000;

/** The bounds of a run, as its configuration and the rules of this release have them. */
export function boundsOf(
  configuration: Configuration,
): Pick<ActivityDependencies, 'limits' | 'patience' | 'documentsAtOnce'> {
  const { bunkerTimeoutMs, approvalTimeoutMs, relayTimeoutMs, retryIntervalMs } = configuration;
  return {
    limits: {
      documentsPerPage: configuration.documentsPerPage,
      pagesAtOnce: PAGES_AT_ONCE,
      pagesPerExecution: configuration.pagesPerExecution,
      // When it yields: what the bunker was asked, one of them approved by a person, and the relays' answers.
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
    // Some with the signer, the others on their way to it or back.
    documentsAtOnce: configuration.bunkerConcurrency * 2,
  };
}

/** A key of its own purpose: a fingerprint says nothing about the key that encrypts the signers. */
export function fingerprintKeyOf(secretsKey: string): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', secretsKey, '', 'republish-operator-configs state fingerprint', 32),
  );
}
