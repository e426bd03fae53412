import { accountPubkey, resolveDocumentTypes } from '../activities/steps/open-run';
import { planMachines } from '../activities/steps/plan-machines';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { machinePages } from '../sources/machine-pages';
import { withInspection } from './open';

/** The documents that a run could publish, by today's rows. */
export interface Publishable {
  documents: number;
  /** The largest state in UTF-8 bytes, including those that are too large for a relay. 0: there are none. */
  largestStateBytes: number;
}

const BATCH_SIZE = 100;

/** Counts them. No relay and no bunker is asked. @throws RepublishError as a plan does */
export function countPublishable(
  configuration: WorkerConfiguration,
  operatorUserId: string,
): Promise<Publishable> {
  return withInspection(configuration, {}, async (deps) => {
    const operatorPubkey = await accountPubkey(deps, operatorUserId);
    const documentTypes = resolveDocumentTypes(deps, undefined);
    const { signal } = new AbortController();
    const counted: Publishable = { documents: 0, largestStateBytes: 0 };
    const owner = { operatorUserId, operatorPubkey, documentTypes };
    for await (const machines of machinePages(deps.source, { operatorUserId }, BATCH_SIZE)) {
      const { documents, largestStateBytes } = await planMachines(deps, owner, machines, signal);
      counted.documents += documents.filter(({ outcome }) => outcome === null).length;
      counted.largestStateBytes = Math.max(counted.largestStateBytes, largestStateBytes);
    }
    return counted;
  });
}
