import type { RepublishPlan } from './plan';

/** Whether something must be corrected before a run can do everything it is asked to do. */
export function hasObstacles({ problems, counts }: Pick<RepublishPlan, 'problems' | 'counts'>): boolean {
  return problems.length > 0 || counts.invalid > 0;
}

/** Whether a run can do everything it is asked to do, and has a machine to do it for. */
export function isReady(plan: Pick<RepublishPlan, 'problems' | 'counts' | 'lookedIn'>): boolean {
  return !hasObstacles(plan) && plan.lookedIn === undefined;
}
