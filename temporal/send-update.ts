import type { Client } from '@temporalio/client';
import { sleep } from '../async/wait';

/** An update for a chain of executions. */
export interface Update<Request> {
  name: string;
  request: Request;
  /** Temporal gives a repeated update its first answer. Default: a new one for each try. */
  updateId?: string;
  /** By the clock of this process. */
  deadlineMs: number;
}

interface Chain {
  workflowId: string;
  /** Of the first execution. */
  runId: string;
}

const PAUSE_MS = 200;

/**
 * Sends an update to the newest execution of a chain. Between two executions nobody can take the update. Then
 * it is sent again, because the next execution can take it.
 *
 * @param continues tells whether the chain is still running
 * @returns the answer
 * @throws the errors of `executeUpdate`. WorkflowNotFoundError: the chain has ended, or the deadline is over
 */
export async function sendUpdate<Answer, Request>(
  client: Client,
  { workflowId, runId }: Chain,
  { name, request, updateId, deadlineMs }: Update<Request>,
  continues: () => Promise<boolean>,
): Promise<Answer> {
  // Without a run id, so that it follows the chain when it continues as new.
  const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
  const options = { args: [request] as [Request], ...(updateId === undefined ? {} : { updateId }) };
  for (;;) {
    try {
      return await client.withDeadline(deadlineMs, () =>
        handle.executeUpdate<Answer, [Request]>(name, options),
      );
    } catch (error) {
      const isGone = error instanceof Error && error.name === 'WorkflowNotFoundError';
      if (!isGone || !(await continues()) || Date.now() > deadlineMs) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
