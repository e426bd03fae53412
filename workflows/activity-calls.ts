import {
  ActivityCancellationType,
  type ActivityInterfaceFor,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import type { Activities, RunLimits } from '../contract/activities';

type Calls = ActivityInterfaceFor<Activities>;

export const RETRY = {
  initialInterval: '1 second',
  backoffCoefficient: 2,
  maximumInterval: '15 seconds',
} as const;
/** A worker that died is noticed within this time; the activities beat at a quarter of it at the latest. */
export const HEARTBEAT = '15 seconds';

/**
 * Plans, reads and settles. A failover of the database takes minutes, and a run that gave up before would
 * have to be started by hand.
 */
export const { loadMachines, readLedger, settlePage } = proxyActivities<Calls>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** A few tries tell whether the signer is up. */
export const { proveSigner } = proxyActivities<Calls>({
  summary: 'prove the signer',
  // Covers a bunker that waits for a person's approval.
  startToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: { ...RETRY, maximumAttempts: 6 },
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** Every document of the run is looked at, twice where one had vanished. */
export const { sweep } = proxyActivities<Calls>({
  summary: 'sweep',
  startToCloseTimeout: '6 hours',
  scheduleToCloseTimeout: '24 hours',
  heartbeatTimeout: HEARTBEAT,
  retry: { ...RETRY, maximumInterval: '30 seconds' },
  cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
});

/** The audit is what is left of a run: it is tried for a day, through a failover or a full disk. */
export const { persistAudit } = proxyActivities<Calls>({
  summary: 'write the audit',
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: HEARTBEAT,
  scheduleToCloseTimeout: '24 hours',
  retry: { ...RETRY, maximumInterval: '30 seconds' },
});

/** Answers to what somebody asked of a run; short, since that person waits. */
export const { retryDocuments, skipDocuments, requestCancellation } = proxyActivities<Calls>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
});

/**
 * A page throws only where nothing but passing trouble is left, and says itself when it is worth another try.
 * How long trouble may last is the documents' own bound: the day is for a page that no worker takes.
 *
 * Cancelled means "yield now": what is signed is finished, and the workflow waits for that.
 */
export function republishWithin(limits: RunLimits): Calls['republishDocuments'] {
  return proxyActivities<Calls>({
    startToCloseTimeout: limits.attemptTimeoutMs,
    scheduleToCloseTimeout: '24 hours',
    heartbeatTimeout: limits.heartbeatTimeoutMs,
    retry: { ...RETRY, maximumInterval: '30 seconds' },
    cancellationType: ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
  }).republishDocuments;
}

/** The ledger key of a run or a fleet. It stays the same across continue-as-new. */
export function runId(): string {
  return workflowInfo().firstExecutionRunId;
}
