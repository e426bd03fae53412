import { ActivityCancellationType, type ActivityInterfaceFor, proxyActivities } from '@temporalio/workflow';
import type { Activities } from '../../contract/activities';
import { HEARTBEAT, RETRY } from '../activity-calls';

/** The bounds cover a failover of the database, which takes minutes. */
export const { planFleet, loadOperators } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '30 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** As for the audit of a run: tried for a day, through a failover or a full disk. */
export const { recordOperators, persistFleetAudit } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '2 minutes',
  heartbeatTimeout: HEARTBEAT,
  scheduleToCloseTimeout: '24 hours',
  retry: { ...RETRY, maximumInterval: '30 seconds' },
});

/** It takes as long as the run that it follows. A run that is holding waits for a person. */
export const { followRun } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '30 days',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
  cancellationType: ActivityCancellationType.TRY_CANCEL,
});

/** The controls of a fleet. The bounds are short, because a person waits for the answer. */
export const { speakToRuns } = proxyActivities<ActivityInterfaceFor<Activities>>({
  startToCloseTimeout: '5 minutes',
  scheduleToCloseTimeout: '10 minutes',
  heartbeatTimeout: HEARTBEAT,
  retry: RETRY,
});
