import { allOperators } from '../activities/fleet/plan-fleet';
import type { ReadOnlyDependencies } from '../activities/dependencies';
import { type Failure, RepublishError } from '../contract/failures';
import { Limiter } from '../nostr/bunker/limiter';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { withInspection } from './open';
import { hasObstacles, type PlanRequest, planWith, type RepublishPlan } from './plan';
import { probeRelays } from './relay-probe';
import { type Verification, verifyWith } from './verify';

/** Operators who are looked at together, or all of them. */
export interface FleetSelection {
  operators?: readonly string[];
  documentTypes?: string[];
}

/** What a run of one operator would do, or why that cannot be said. */
export type OperatorPlan = { operatorUserId: string; go: boolean } & (
  { plan: RepublishPlan } | { failure: Failure }
);

/** How one operator's documents stand, or why that cannot be said. */
export type OperatorVerification = { operatorUserId: string } & (
  { verification: Verification } | { failure: Failure }
);

/** Each asks the relays eight questions at a time. */
const OPERATORS_AT_ONCE = 4;

/** Plans a run for each operator; one who cannot be planned does not stop the others. */
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
      return { operatorUserId, go: !hasObstacles(planned.value), plan: planned.value };
    });
  });
}

/** Verifies each operator's documents; one who cannot be looked at does not stop the others. */
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

/** What concerns one operator; where a database is away, everybody's look would only say the same. */
async function orFailure<T>(work: () => Promise<T>): Promise<{ value: T } | { failure: Failure }> {
  try {
    return { value: await work() };
  } catch (thrown) {
    if (!(thrown instanceof RepublishError) || thrown.type.endsWith('Unavailable')) throw thrown;
    return { failure: { type: thrown.type, message: thrown.message } };
  }
}
