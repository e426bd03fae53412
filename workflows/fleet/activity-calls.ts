import { ActivityCancellationType, type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../../contract/activities';
import { HEARTBEAT, RETRY } from '../activity-calls';

/** Reads and plans. A failover of the database takes minutes. */
export const { planFleet, loadOperators } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** What is left of a fleet: tried for a day, through a failover or a full disk. */
export const { recordOperators, persistFleetAudit } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: HEARTBEAT,
  scheduleToCloseTimeout: '24 hours',
  retry: { ...RETRY, maximumInterval: '30 seconds' },
});

/** As long as a run takes, and one that holds waits for a person. */
export const { followRun } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '30 days',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** Answers to what somebody asked of a fleet; short, since that person waits. */
export const { speakToRuns } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
});
