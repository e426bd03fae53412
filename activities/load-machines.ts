import type { LoadMachinesInput, LoadMachinesResult } from '../contract/activities';
import { pageOf } from '../rules/page-numbers';
import { RepublishError } from '../contract/failures';
import { meantMachine } from '../rules/machine-name';
import {
  failuresOf,
  newestFingerprints,
  pagesFrom,
  planDocuments,
  type PlannedDocument,
} from '../database/ledger/plan';
import type { RunRow } from '../database/ledger/runs';
import { dTag } from '../documents/document-type';
import { reasonToSign } from '../rules/seal';
import { whereMachinesAre } from '../sources/source';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { isForced } from './steps/force';
import { accountPubkey, openedRun, openRun } from './steps/open-run';
import { type JudgedDocument, planMachines } from './steps/plan-machines';

/**
 * Blocks of machines that one call plans: few enough to keep its result, and the time until the next one
 * shows, small.
 */
const BLOCKS_PER_CALL = 10;
/** Most bad rows that one call names in history. The ledger and the audit have all of them. */
const MAX_NAMED_FAILURES = 50;

/**
 * Plans the operator's machines, some blocks at a time. Each machine and document type gets one row in the
 * ledger. The row is settled immediately if there is nothing to publish (skipped) or the state is bad
 * (failed). The state is read and judged here, and read again at the seal; it never leaves the worker. The
 * first call opens the run.
 */
export async function loadMachines(
  deps: ActivityDependencies,
  input: LoadMachinesInput,
  { signal, workflowId }: ActivityCall,
): Promise<LoadMachinesResult> {
  const { runId, request, after } = input;
  const { operatorUserId, machineIds } = request;
  if (after === undefined && machineIds !== undefined)
    await requireMachines(deps, operatorUserId, machineIds);
  const run = after === undefined ? await openRun(deps, input, workflowId) : await openedRun(deps, runId);
  const documentsPerPage = after?.documentsPerPage ?? deps.limits.documentsPerPage;
  const limits = { ...deps.limits, documentsPerPage };
  const limit = BLOCKS_PER_CALL * limits.documentsPerPage;
  const machines = await deps.source.machines({ operatorUserId, after: after?.machineId, machineIds, limit });
  const { documents, states } = await planMachines(deps, run, machines, signal);

  const before = after?.machines ?? 0;
  const opened = { documentTypes: run.documentTypes, limits, operatorPubkey: run.operatorPubkey };
  const index = new Map(machines.map(({ id }, position) => [id, before + position]));
  const planned = documents.map((document) => ({
    ...document,
    page: pageOf(
      opened,
      index.get(document.machineId) ?? 0,
      run.documentTypes.indexOf(document.documentType),
    ),
  }));
  await planDocuments(deps.database, run, planned);
  deps.failpoint('after-load');

  // The ledger decides, and not what was just read: an earlier attempt may have planned a part already.
  const range = { firstPage: pageOf(opened, before, 0), pages: BLOCKS_PER_CALL * run.documentTypes.length };
  const fingerprints = new Map([...states].map(([d, { fingerprint }]) => [d, fingerprint]));
  const [pages, failures, toSign] = await Promise.all([
    pagesFrom(deps.database, runId, range.firstPage, range.pages),
    failuresOf(deps.database, runId, { ...range, limit: MAX_NAMED_FAILURES }),
    countToSign(deps, run, planned, fingerprints),
  ]);
  const last = machines.length === limit ? machines.at(-1) : undefined;
  const loaded = before + machines.length;
  return {
    opened: { ...opened, ...(deps.searchAttributes ? { searchAttributes: true as const } : {}) },
    pages,
    machines: loaded,
    toSign,
    failures,
    ...(loaded === 0 ? { lookedIn: whereMachinesAre(await deps.source.describe(), operatorUserId) } : {}),
    ...(last === undefined ? {} : { next: { machineId: last.id, machines: loaded, documentsPerPage } }),
  };
}

/**
 * Counts the documents that the signer will be asked for, as far as the ledger knows. Relays may make it
 * more.
 */
async function countToSign(
  deps: ActivityDependencies,
  run: RunRow & { operatorPubkey: string },
  documents: PlannedDocument[],
  fingerprints: ReadonlyMap<string, string>,
): Promise<number> {
  const keys = [...new Set(documents.flatMap(({ atmPubkey }) => atmPubkey ?? []))];
  const stood = await newestFingerprints(deps.database, run.operatorPubkey, run.documentTypes, keys);
  const needsSignature = ({ outcome, documentType, atmPubkey }: JudgedDocument): boolean => {
    if (outcome !== null || atmPubkey === null) return false;
    const address = dTag(documentType, atmPubkey);
    const stateFingerprint = stood.get(address);
    const known = {
      newerStands: false,
      earlier:
        stateFingerprint === undefined
          ? undefined
          : { isSigned: stateFingerprint !== null, stateFingerprint },
      stateFingerprint: fingerprints.get(address) ?? '',
      force: isForced(deps, documentType, run),
    };
    return reasonToSign(known) !== undefined;
  };
  return documents.filter(needsSignature).length;
}

/** Most machines that are read to suggest the machine that was meant. */
const MAX_CANDIDATES = 1_000;

/**
 * @throws RepublishError MachineNotFound with the ids that the operator does not have; OperatorNotFound
 *   where that is the reason
 */
export async function requireMachines(
  deps: Pick<ActivityDependencies, 'source'>,
  operatorUserId: string,
  machineIds: string[],
): Promise<void> {
  const found = await deps.source.machines({
    operatorUserId,
    machineIds,
    limit: machineIds.length,
  });
  const known = new Set(found.map(({ id }) => id));
  const missing = machineIds.filter((id) => !known.has(id));
  if (missing.length === 0) return;
  await accountPubkey(deps, operatorUserId);
  const machines = await deps.source.machines({ operatorUserId, limit: MAX_CANDIDATES });
  const candidates = machines.map(({ id, name }) => ({ machineId: id, machineName: name ?? id }));
  const named =
    missing
      .slice(0, 10)
      .map((id) => id + meantMachine(id, candidates))
      .join(', ') + (missing.length > 10 ? ` and ${missing.length - 10} more` : '');
  const none =
    machines.length > 0
      ? ''
      : `, and no other: ${whereMachinesAre(await deps.source.describe(), operatorUserId)}`;
  throw new RepublishError('MachineNotFound', `operator ${operatorUserId} has no machine ${named}${none}`);
}
