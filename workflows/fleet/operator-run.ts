import {
  type ChildWorkflowHandle,
  CancellationScope,
  isCancellation,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import { type FleetInput, type OperatorEnd, requestOf } from '../../contract/fleet';
import type { OperatorRun } from '../../contract/fleet-activities';
import { fairnessKeyOf, WORKFLOW_TYPE, workflowIdFor } from '../../contract/names';
import { endOfFailedRun } from '../../rules/run-end';
import type { republishOperatorConfigs } from '../republish-operator-configs';
import { followRun } from './activities';

/** Told where an operator's turn is. */
export interface TurnListener {
  /** A run is being started: until it has begun, or has not, nobody knows which. */
  onStarting(starting: boolean): void;
  onBegun(run: OperatorRun): void;
}

/**
 * An operator's turn: a run of our own, after the end of any that somebody else had started.
 *
 * @returns undefined when the fleet was cancelled before the operator's run began
 */
export async function republishOperator(
  fleet: FleetInput,
  operatorUserId: string,
  listener: TurnListener,
): Promise<OperatorEnd | undefined> {
  const request = requestOf(fleet, operatorUserId);
  for (;;) {
    try {
      const child = await start(fleet, operatorUserId, listener);
      if (child !== undefined) return await endOf(child, operatorUserId, listener);
      // Somebody else's run: it is neither paused nor cancelled with the fleet. If it was asked the same, it
      // is as good as ours; if not, ours comes after it.
      const { same, end } = await followRun({ operatorUserId, request });
      if (same) return end;
    } catch (error) {
      if (isCancellation(error)) return undefined;
      throw error;
    }
  }
}

/**
 * Waits for a run that an earlier execution began; also when the fleet is cancelled, as it would for a child.
 */
export async function endOfAdopted(fleet: FleetInput, run: OperatorRun): Promise<OperatorEnd> {
  const request = requestOf(fleet, run.operatorUserId);
  const { end } = await CancellationScope.nonCancellable(() => followRun({ ...run, request }));
  return end;
}

type Child = ChildWorkflowHandle<typeof republishOperatorConfigs>;

async function endOf(child: Child, operatorUserId: string, { onBegun }: TurnListener): Promise<OperatorEnd> {
  const run = { operatorUserId, runId: child.firstExecutionRunId };
  onBegun(run);
  try {
    await child.result();
    return { ...run, outcome: 'complete' };
  } catch (error) {
    return { ...run, ...endOfFailedRun(error) };
  }
}

/** @returns undefined when a run of the operator goes on already */
async function start(
  fleet: FleetInput,
  operatorUserId: string,
  { onStarting }: TurnListener,
): Promise<Child | undefined> {
  onStarting(true);
  try {
    return await startChild<typeof republishOperatorConfigs>(WORKFLOW_TYPE, {
      // The id of a single start: so neither begins beside the other.
      workflowId: workflowIdFor(operatorUserId),
      args: [requestOf(fleet, operatorUserId)],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      // A fleet that is terminated, or continues as new, leaves its runs what they are: sagas that finish by
      // themselves and write their audits. The next execution, or another fleet, follows them.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      priority: { fairnessKey: fairnessKeyOf(operatorUserId) },
      staticSummary: `Republish the configuration documents of operator ${operatorUserId} (fleet)`,
      ...(fleet.reason ? { memo: { reason: fleet.reason } } : {}),
    });
  } catch (error) {
    // By name: the SDK throws it in workflows, and exports it only to clients.
    if (error instanceof Error && error.name === 'WorkflowExecutionAlreadyStartedError') return undefined;
    throw error;
  } finally {
    onStarting(false);
  }
}
