import { allOperators } from '../activities/fleet/plan-fleet';
import type { ReadOnlyDependencies } from '../activities/dependencies';
import { type Failure, isRetryable, RepublishError, scopeOf } from '../contract/failures';
import { Limiter } from '../async/limiter';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { withInspection } from './open';
import { type PlanRequest, planWith, type RepublishPlan } from './plan';
import { isReady } from './ready';
import { probeRelays } from './relay-probe';
import { type Verification, verifyWith } from './verify';

/** The operators to look at. Absent: all. */
export interface FleetSelection {
  operators?: readonly string[];
  documentTypes?: string[];
}

/** What a run of one operator would do, or why that is not known. */
export type OperatorPlan = { operatorUserId: string; go: boolean } & (
  { plan: RepublishPlan } | { failure: Failure }
);

/** How the documents of one operator stand, or why that is not known. */
export type OperatorVerification = { operatorUserId: string } & (
  { verification: Verification } | { failure: Failure }
);

/** Each of them has up to eight questions with the relays at a time. */
const OPERATORS_AT_ONCE = 4;

/** Plans a run for each operator. A failure of one does not stop the others. */
export function planOperators(
  configuration: WorkerConfiguration,
  selection: FleetSelection & Pick<PlanRequest, 'force' | 'resetCounts' | 'show'>,
  say: (text: string) => void,
): Promise<OperatorPlan[]> {
  const { operators, ...request } = selection;
  return withInspection(configuration, {}, async (deps) => {
    const planning = { deps, configuration, relays: probeRelays(configuration) };
    return forEach(deps, operators, async (operatorUserId): Promise<OperatorPlan> => {
      const told = (text: string): void => say(`${operatorUserId}: ${text}`);
      const planned = await orFailure(() =>
        planWith({ ...planning, say: told }, { ...request, operatorUserId }),
      );
      if ('failure' in planned) return { operatorUserId, go: false, ...planned };
      return { operatorUserId, go: isReady(planned.value), plan: planned.value };
    });
  });
}

/** Verifies the documents of each operator. A failure of one does not stop the others. */
export function verifyOperators(
  configuration: WorkerConfiguration,
  { operators, ...request }: FleetSelection,
): Promise<OperatorVerification[]> {
  return withInspection(configuration, {}, (deps) => {
    const verifying = { deps, configuration, relays: probeRelays(configuration) };
    return forEach(deps, operators, async (operatorUserId): Promise<OperatorVerification> => {
      const verified = await orFailure(() => verifyWith(verifying, { ...request, operatorUserId }));
      return 'failure' in verified
        ? { operatorUserId, ...verified }
        : { operatorUserId, verification: verified.value };
    });
  });
}

async function forEach<T>(
  deps: ReadOnlyDependencies,
  named: readonly string[] | undefined,
  look: (operatorUserId: string) => Promise<T>,
): Promise<T[]> {
  const limiter = new Limiter(OPERATORS_AT_ONCE);
  const looks: Promise<T>[] = [];
  for await (const page of named === undefined ? allOperators(deps) : [new Set(named)]) {
    looks.push(...[...page].map((operatorUserId) => limiter.run(() => look(operatorUserId))));
  }
  return Promise.all(looks);
}

/**
 * Keeps a failure of one operator. A database that is away would fail for all of them, so that error is
 * thrown.
 */
async function orFailure<T>(work: () => Promise<T>): Promise<{ value: T } | { failure: Failure }> {
  try {
    return { value: await work() };
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
    const { type, message } = thrown;
    if (scopeOf(type) === 'database' && isRetryable(type)) throw thrown;
    return { failure: { type, message } };
  }
}
