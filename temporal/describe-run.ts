import { type Client, isGrpcServiceError } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time';

/** `WorkflowExecutionStatus` in Temporal's API: unknown, running, continued as new, paused. */
const GOING_ON: readonly number[] = [0, 1, 6, 8];
/** The status code of gRPC. */
const NOT_FOUND = 5;

export interface DescribedRun {
  /** The execution that was asked for. Without a run id: the newest. */
  current: string;
  /** The first execution of its chain. */
  firstRunId: string;
  /** ISO 8601. */
  startedAt: string;
  isClosed: boolean;
}

/**
 * Asks the server directly, and not through the SDK. The SDK also decodes the memo, and would fail for ever
 * on a run that was started with another data converter.
 *
 * @returns undefined where Temporal has no such run any more: somebody deleted it
 */
export async function describeRun(
  client: Client,
  execution: { workflowId: string; runId?: string },
): Promise<DescribedRun | undefined> {
  const { namespace } = client.options;
  const described = await client.workflowService
    .describeWorkflowExecution({ namespace, execution })
    .catch((thrown: unknown) => {
      if (isGrpcServiceError(thrown) && Number(thrown.code) === NOT_FOUND) return undefined;
      throw thrown;
    });
  if (described === undefined) return undefined;
  const { workflowExecutionInfo: info } = described;
  return {
    current: info?.execution?.runId ?? '',
    firstRunId: info?.firstRunId ?? '',
    startedAt: (optionalTsToDate(info?.startTime) ?? new Date()).toISOString(),
    isClosed: !GOING_ON.includes(info?.status ?? 0),
  };
}

/**
 * The newest execution of a run, which may have continued as new.
 *
 * @param firstRunId of the chain. Absent: the newest execution of any run
 * @returns undefined where Temporal has no such run any more, or another run has begun since
 */
export async function newestOfChain(
  client: Client,
  workflowId: string,
  firstRunId?: string,
): Promise<DescribedRun | undefined> {
  const newest = await describeRun(client, { workflowId });
  // Older servers do not name the first execution.
  const isOther = newest?.firstRunId !== '' && newest?.firstRunId !== firstRunId;
  return firstRunId !== undefined && isOther ? undefined : newest;
}
