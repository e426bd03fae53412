import type { Client } from '@temporalio/client';
import { workflowIdFor } from '../contract/names';
import type { Obstacle } from '../contract/obstacle';
import { newestChain } from './chain';
import { chainObstacle } from './chain-status';

/** Why the run of an operator of a fleet makes no progress. */
export interface OperatorObstacle extends Obstacle {
  operatorUserId: string;
}

/** A watch looks every second, and each operator takes several requests. */
const KEPT_MS = 10_000;

/**
 * Makes a function that asks Temporal which of these operators have a run that no worker can continue. The
 * run may be of another request, for whose end the fleet waits. It asks at most every 10 seconds for the same
 * operator.
 */
export function obstaclesOfRuns(client: Client): (operators: string[]) => Promise<OperatorObstacle[]> {
  const known = new Map<string, { askedAtMs: number; found: Promise<OperatorObstacle[]> }>();
  return async (operators) => {
    for (const [operator, { askedAtMs }] of known)
      if (!operators.includes(operator) || Date.now() - askedAtMs > KEPT_MS) known.delete(operator);
    const found = operators.map((operator) => {
      const asked = known.get(operator) ?? { askedAtMs: Date.now(), found: obstacleOfRun(client, operator) };
      known.set(operator, asked);
      return asked.found;
    });
    return (await Promise.all(found)).flat();
  };
}

/** No obstacle where Temporal cannot be asked about this run. */
async function obstacleOfRun(client: Client, operatorUserId: string): Promise<OperatorObstacle[]> {
  try {
    const workflowId = workflowIdFor(operatorUserId);
    const runId = await newestChain(client, workflowId);
    const obstacle = await chainObstacle(client, { workflowId, runId }, { asksIfOpen: true });
    return obstacle === undefined ? [] : [{ operatorUserId, ...obstacle }];
  } catch {
    return [];
  }
}
