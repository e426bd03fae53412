import {
  CancellationScope,
  CancelledFailure,
  continueAsNew,
  isCancellation,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { Failure } from '../contract/failures';
import type { FleetInput, FleetSummary } from '../contract/fleet';
import { problemsOfFleetInput } from '../rules/fleet-input';
import type { PlanFleetResult } from '../contract/fleet-activities';
import { SEARCH_ATTRIBUTES } from '../contract/names';
import { outcomeOfFleet } from '../rules/run-end';
import { asEnd, failureOf, requireValid } from './failure-of';
import { runId } from './activity-calls';
import { persistFleetAudit, planFleet } from './fleet/activity-calls';
import { Fleet, type FleetState } from './fleet/fleet';

/**
 * The workflow for many operators: one run for each, a limited number at a time, and one summary. An operator
 * who fails is in the summary, and stops neither the others nor the fleet.
 *
 * @param carried from the previous execution of the same fleet; callers leave it out
 * @throws ApplicationFailure InvalidInput, or the failure type of the activity that ended the fleet
 */
export async function republishFleet(input: FleetInput, carried?: FleetState): Promise<FleetSummary> {
  if (carried === undefined) requireValid(problemsOfFleetInput(input));
  const scope = CancellationScope.current();
  // The ledger has the operators, so the next execution does not need them in its input.
  const { operators: _, ...request } = input;
  const fleet = new Fleet(request, carried);

  let plan: PlanFleetResult | undefined = carried;
  let next: FleetState | undefined;
  let failure: Failure | undefined;
  let cancelled = false;
  try {
    plan ??= await planFleet({ runId: runId(), request: input });
    next = await fleet.work(plan);
  } catch (error) {
    if (isCancellation(error)) cancelled = true;
    else failure = failureOf(error);
  }
  if (next !== undefined) return continueAsNew<typeof republishFleet>(request, next);

  const summary = await CancellationScope.nonCancellable(async () => {
    // An update in work belongs into the audit, and a cancel in work decides how the fleet ends.
    await fleet.control.untilIdle();
    cancelled ||= scope.consideredCancelled;
    fleet.enter('writing audit');
    const { interventions } = fleet.control;
    return persistFleetAudit({
      runId: runId(),
      request,
      ended: fleet.unrecorded,
      cancelled,
      ...(failure === undefined ? {} : { failure }),
      ...(interventions.length === 0 ? {} : { interventions }),
    });
  }).catch((error: unknown) => {
    const { type, message } = failure ?? failureOf(error);
    const unwritten = `${message}; the audit row of the fleet could not be written`;
    throw asEnd({ type, message: unwritten }, { subject: 'fleet' });
  });
  fleet.enter('done');
  const outcome = outcomeOfFleet(summary.operators, { failure, cancelled });
  if (plan?.searchAttributes)
    upsertSearchAttributes([{ key: { name: SEARCH_ATTRIBUTES.outcome, type: 'KEYWORD' }, value: outcome }]);
  if (failure !== undefined) throw asEnd(failure, { subject: 'fleet', details: summary });
  if (cancelled) throw new CancelledFailure('the fleet was cancelled; the audit row shows what was done');
  return summary;
}
