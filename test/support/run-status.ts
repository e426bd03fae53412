import { liveValues } from '../../client/live-values';
import type { RunStatus } from '../../client/run-status';

/** Of a run that goes on; a worker answers, and no page is in work. */
export function statusOf({ progress = null, ...overrides }: Partial<RunStatus> = {}): RunStatus {
  const { stages, waiting, approvals } = { ...liveValues(progress, []), ...overrides };
  const live = { stages, waiting, approvals };
  return {
    workflowId: 'republish-operator-configs/op',
    runId: 'run',
    status: 'RUNNING',
    startedAt: '2026-01-01T00:00:00.000Z',
    closedAt: null,
    outcome: null,
    taskQueue: 'republish-operator-configs',
    progress: progress && { ...progress, ...live },
    ...live,
    obstacle: null,
    cancelRequested: false,
    inWork: [],
    retrying: [],
    unreachableSince: null,
    ...overrides,
  };
}
