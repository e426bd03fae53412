import { ActivityCancellationType, type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { Activities, RunLimits } from '../contract/activities';

type Calls = ActivityInterfaceFor<Activities>;

/** Reads of the database. A failover takes minutes, and a run that gave up before would have to be started by hand. */
export const { checkSigner, loadMachines, nextDocuments, noteFailures } = proxyActivities<Calls>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  // A worker that died is noticed within this time; the activities beat at a quarter of it at the latest.
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** One question to the signer: a few tries tell whether it is up. */
export const { askSigner } = proxyActivities<Calls>({
  summary: 'ask the signer for its public key',
  // Covers a bunker that waits for a person's approval.
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: '15 seconds',
  retry: {
    initialInterval: '1 second',
    backoffCoefficient: 2,
    maximumInterval: '15 seconds',
    maximumAttempts: 6,
  },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** The audit is what is left of a run: it is tried for a day, through a failover or a full disk. */
export const { persistAudit } = proxyActivities<Calls>({
  summary: 'write the audit',
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: '15 seconds',
  scheduleToCloseTimeout: '24 hours',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '30 seconds' },
});

/** Answers to what somebody asked of a run; short, since that person waits. */
export const { planAgain, skipDocuments, requestCancellation } = proxyActivities<Calls>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: '15 seconds',
  retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '15 seconds' },
});

/**
 * Each document retries by itself, within bounds of its own. Cancelled documents are waited for: an attempt that has its
 * signature is finished by its activity, and the audit must see how it ended. One that waits for its next attempt is not
 * begun again; the next run takes up its signature.
 */
export function republishWithin(limits: RunLimits): Calls['republishDocument'] {
  return proxyActivities<Calls>({
    startToCloseTimeout: limits.attemptTimeoutMs,
    scheduleToCloseTimeout: limits.documentTimeoutMs,
    heartbeatTimeout: limits.heartbeatTimeoutMs,
    retry: {
      initialInterval: limits.initialRetryIntervalMs,
      backoffCoefficient: 2,
      maximumInterval: limits.maxRetryIntervalMs,
      maximumAttempts: limits.maxAttempts,
    },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }).republishDocument;
}
