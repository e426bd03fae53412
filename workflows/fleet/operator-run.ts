import {
  type ChildWorkflowHandle,
  CancellationScope,
  isCancellation,
  ParentClosePolicy,
  startChild,
} from '@temporalio/workflow';
import type { FleetInput, OperatorEnd } from '../../contract/fleet';
import { requestOf } from '../../rules/fleet-input';
import type { OperatorRun } from '../../contract/fleet-activities';
import { fairnessKeyOf, WORKFLOW_TYPE, workflowIdFor } from '../../contract/names';
import { endOfFailedRun } from '../../rules/run-end';
import type { republishOperatorConfigs } from '../republish-operator-configs';
import { followRun } from './activity-calls';

/** Called when a run of an operator begins. */
export interface OperatorRunListener {
  /**
   * Temporal is starting the run: until it has begun, or another run is running, nobody knows whether it
   * exists.
   */
  onStarting(): void;
  onBegun(run: OperatorRun): void;
  /** Another run of the operator is running. */
  onOther(): void;
}

/**
 * Starts the fleet's run of an operator and waits for its end. If another run of the operator is running, it
 * waits for the end of that run first.
 *
 * @returns undefined when the fleet was cancelled before the run began
 */
export async function republishOperator(
  fleet: FleetInput,
  operatorUserId: string,
  listener: OperatorRunListener,
): Promise<OperatorEnd | undefined> {
  const request = requestOf(fleet, operatorUserId);
  for (;;) {
    try {
      const child = await start(fleet, operatorUserId, listener);
      if (child !== undefined) return await endOf(child, operatorUserId, listener);
      // Another run: the fleet neither pauses nor cancels it. If its request is the same, it counts as ours.
      // If not, ours comes after it.
      const { same, end } = await followRun({ operatorUserId, request });
      if (same) return end;
    } catch (error) {
      if (isCancellation(error)) return undefined;
      throw error;
    }
  }
}

/**
 * Waits for a run that an earlier execution began. Also when the fleet is cancelled, as it does for a child.
 */
export async function endOfAdopted(fleet: FleetInput, run: OperatorRun): Promise<OperatorEnd> {
  const request = requestOf(fleet, run.operatorUserId);
  const { end } = await CancellationScope.nonCancellable(() => followRun({ ...run, request }));
  return end;
}

type Child = ChildWorkflowHandle<typeof republishOperatorConfigs>;

async function endOf(
  child: Child,
  operatorUserId: string,
  { onBegun }: OperatorRunListener,
): Promise<OperatorEnd> {
  const run = { operatorUserId, runId: child.firstExecutionRunId };
  onBegun(run);
  try {
    await child.result();
    return { ...run, outcome: 'complete' };
  } catch (error) {
    return { ...run, ...endOfFailedRun(error) };
  }
}

/** @returns undefined when another run of the operator is running */
async function start(
  fleet: FleetInput,
  operatorUserId: string,
  { onStarting, onOther }: OperatorRunListener,
): Promise<Child | undefined> {
  onStarting();
  try {
    return await startChild<typeof republishOperatorConfigs>(WORKFLOW_TYPE, {
      // The same id as a single start: Temporal refuses two runs of one operator.
      workflowId: workflowIdFor(operatorUserId),
      args: [requestOf(fleet, operatorUserId)],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      // When the fleet is terminated or continues as new, its runs continue and write their audits. The next
      // execution, or the next fleet, follows them.
      parentClosePolicy: ParentClosePolicy.ABANDON,
      priority: { fairnessKey: fairnessKeyOf(operatorUserId) },
      staticSummary: `Republish the configuration documents of operator ${operatorUserId} (fleet)`,
      ...(fleet.reason ? { memo: { reason: fleet.reason } } : {}),
    });
  } catch (error) {
    // By name: the SDK throws this class in workflows, but exports it only for clients.
    if (!(error instanceof Error) || error.name !== 'WorkflowExecutionAlreadyStartedError') throw error;
    onOther();
    return undefined;
  }
}
