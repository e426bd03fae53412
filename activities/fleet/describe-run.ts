import type { Context } from '@temporalio/activity';
import { optionalTsToDate } from '@temporalio/common/lib/time';

/** `WorkflowExecutionStatus` in Temporal's API: unknown, running, continued as new, paused. */
const GOING_ON: readonly number[] = [0, 1, 6, 8];

/**
 * Asks the server directly, and not through the SDK. The SDK also decodes the memo, and would fail for ever
 * on a run that was started with another data converter.
 */
export async function describeRun(
  client: Context['client'],
  execution: { workflowId: string; runId?: string },
): Promise<{ current: string; firstRunId: string; startedAt: string; isClosed: boolean }> {
  const { namespace } = client.options;
  const { workflowExecutionInfo: info } = await client.workflowService.describeWorkflowExecution({
    namespace,
    execution,
  });
  return {
    current: info?.execution?.runId ?? '',
    firstRunId: info?.firstRunId ?? '',
    startedAt: (optionalTsToDate(info?.startTime) ?? new Date()).toISOString(),
    isClosed: !GOING_ON.includes(info?.status ?? 0),
  };
}
