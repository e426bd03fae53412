import type { Client } from '@temporalio/client';
import { RunNotFound } from './errors';
import { findFleet } from './fleet';
import { runOf } from './run';
import { findRepublish } from './start';

/**
 * Lets `report` of `republish-operator-configs/inspection` ask Temporal about a run that is not over. Each
 * function returns undefined if Temporal knows no such run.
 *
 * @param client or a function that connects one; it is called when Temporal is asked, and not before
 */
export function askTemporal(client: Client | (() => Promise<Client>)) {
  const connected = async (): Promise<Client> => (typeof client === 'function' ? client() : client);
  return {
    newestRun: (operatorUserId: string) =>
      unlessUnknown(async () => (await findRepublish(await connected(), operatorUserId)).status()),
    run: (workflowId: string, runId: string) => {
      const named = { workflowId, runId, attached: true, differs: [] };
      return unlessUnknown(async () => runOf(await connected(), named).status());
    },
    fleet: (runId?: string) =>
      unlessUnknown(async () => {
        const fleet = await findFleet(await connected());
        if (runId !== undefined && runId !== fleet.runId) return undefined;
        return { ...(await fleet.status()), workflowId: fleet.workflowId, runId: fleet.runId };
      }),
  };
}

/** Temporal forgets what has ended long ago. */
async function unlessUnknown<T>(ask: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (thrown) {
    if (thrown instanceof RunNotFound) return undefined;
    throw thrown;
  }
}
