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

const PAUSE_MS = 200;

/**
 * Sends an update to the newest execution of a chain. Between two executions nobody can take an update, and
 * the next execution can: it is sent again while the chain continues.
 *
 * @param chain by the run id of its first execution
 * @param continues whether the chain has not ended
 * @returns the answer
 * @throws the errors of `executeUpdate`, of which WorkflowNotFoundError at the deadline or where it has ended
 */
export async function sendUpdate<Answer, Request>(
  client: Client,
  { workflowId, runId }: { workflowId: string; runId: string },
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
