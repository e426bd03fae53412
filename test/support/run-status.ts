import { liveValues } from '../../client/live-values';
import type { RunStatus } from '../../client/run-status';

/** Of a run that goes on; a worker answers, and no page is in work. */
export function statusOf({ progress = null, ...overrides }: Partial<RunStatus> = {}): RunStatus {
  return {
    workflowId: 'republish-operator-configs/op',
    runId: 'run',
    status: 'RUNNING',
    startedAt: '2026-01-01T00:00:00.000Z',
    closedAt: null,
    taskQueue: 'republish-operator-configs',
    progress,
    ...liveValues(progress, []),
    obstacle: null,
    cancelRequested: false,
    inWork: [],
    retrying: [],
    unreachableSince: null,
    ...overrides,
  };
}
