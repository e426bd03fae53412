import type { Failure } from '../../contract/failures';
import type { RunRow } from '../../database/ledger/runs';
import type { SweptDocument } from '../../database/ledger/sweep';
import { isOutOfDate } from '../../rules/seal';
import type { ActivityDependencies } from '../dependencies';
import { readPage } from '../page/read-page';

/** What LNbits says now about signed documents. */
export interface Comparison {
  /** The account has another key now. The documents are not compared then. */
  account?: Failure;
  /** Documents whose machine has another key or owner now. */
  outdated: Map<SweptDocument, Failure>;
  /** Documents whose state differs, or makes no valid document any more. */
  changed: Set<SweptDocument>;
}

/** Reads account, machines and states of these documents again. Without documents it reads nothing. */
export async function compare(
  deps: ActivityDependencies,
  run: RunRow & { operatorPubkey: string },
  documents: readonly SweptDocument[],
): Promise<Comparison> {
  const outdated = new Map<SweptDocument, Failure>();
  const changed = new Set<SweptDocument>();
  for (const [documentType, machines] of groupBy(documents, (document) => document.documentType)) {
    const page = await readPage(deps, { ...run, documentType, machines });
    if (page.outdated !== undefined) {
      const { type, message } = page.outdated;
      return { account: { type, message }, outdated, changed };
    }
    for (const document of machines) {
      const read = page.documents.get(document.machineId);
      if (read === undefined) continue;
      if ('plaintext' in read) {
        if (isOutOfDate(document.stateFingerprint, read.fingerprint)) changed.add(document);
      } else if (read.type === 'PlanOutdated')
        outdated.set(document, { type: 'PlanOutdated', message: read.message });
      else changed.add(document);
    }
  }
  return { outdated, changed };
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
