import type { LoadMachinesInput, LoadMachinesResult, PlannedMachine } from '../contract/activities';
import { type DocumentFailure, type FailureType, RepublishError } from '../contract/failures';
import {
  type DocumentRow,
  documentsOfMachines,
  newestFingerprints,
  type PlannedDocument,
  planDocuments,
} from '../database/ledger/documents';
import type { MachineRow } from '../database/sources';
import { dTag } from '../documents/document-type';
import { parsePublicKey, publicKeyHex } from '../nostr/keys';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { fingerprintOf } from './steps/fingerprint';
import { readState } from './steps/read-state';

/** What concerns a single document and must not stop the others; anything else concerns the whole page. */
const OF_ONE_DOCUMENT: ReadonlySet<FailureType> = new Set([
  'StateInvalid',
  'StateTooLarge',
  'DatabaseMisconfigured',
]);

/** Bad rows that a page names in history; the ledger and the audit have all of them. */
const MAX_NAMED_FAILURES = 50;

/**
 * Plans a page of the operator's machines: one row in the ledger for each machine and document type, settled at once
 * where there is nothing to publish (skipped) or nothing publishable (failed). State is read and judged here, and read
 * again at the seal; it never leaves the worker.
 */
export async function loadMachines(
  deps: ActivityDependencies,
  input: LoadMachinesInput,
  { signal }: ActivityCall,
): Promise<LoadMachinesResult> {
  const { runId, operatorUserId, operatorPubkey, machineIds, after, limit } = input;
  if (after === undefined && machineIds !== undefined)
    await requireMachines(deps, operatorUserId, machineIds);

  const machines = await deps.sources.machines(deps.database, { operatorUserId, after, machineIds, limit });
  const shared = await sharedAtmPubkeys(deps, operatorUserId, machines.length);
  const fingerprints = new Map<string, string>();
  const planned: PlannedDocument[] = [];
  for (const machine of machines) {
    signal.throwIfAborted();
    planned.push(...(await planMachine(deps, input, machine, shared, fingerprints)));
  }
  await planDocuments(deps.database, { runId, operatorPubkey }, planned);
  deps.failpoint('after-load');

  // The ledger decides, not what was just read: an earlier attempt or execution may have planned and done part of it.
  const rows = await documentsOfMachines(
    deps.database,
    runId,
    machines.map(({ id }) => id),
  );
  const stood = await newestFingerprints(deps.database, operatorPubkey, input.documentTypes, [
    ...new Set(rows.flatMap(({ atmPubkey }) => atmPubkey ?? [])),
  ]);
  const needsSignature = (row: DocumentRow): boolean => {
    if (row.outcome !== null || row.signature !== null) return false;
    if (input.force || row.atmPubkey === null) return true;
    const address = dTag(row.documentType, row.atmPubkey);
    return stood.get(address) == null || stood.get(address) !== fingerprints.get(address);
  };
  return {
    machines: toPublish(machines, rows),
    toSign: rows.filter(needsSignature).length,
    settled: countSettled(rows),
    failures: failuresOf(rows).slice(0, MAX_NAMED_FAILURES),
    ...(machines.length === limit ? { next: machines.at(-1)?.id ?? '' } : {}),
  };
}

/** Keys (hex) that more than one machine of the operator has, however they are written. */
async function sharedAtmPubkeys(
  deps: ActivityDependencies,
  operatorUserId: string,
  machines: number,
): Promise<Set<string>> {
  if (machines === 0) return new Set();
  const keys = (await deps.sources.atmPubkeys(deps.database, operatorUserId)).flatMap(
    (key) => publicKeyHex(key) ?? [],
  );
  const once = new Set<string>();
  return new Set(keys.filter((key) => once.size === once.add(key).size));
}

function failuresOf(rows: DocumentRow[]): DocumentFailure[] {
  return rows.flatMap(({ documentType, machineId, outcome, failureType, failureMessage }) =>
    outcome === 'failed' && failureType !== null
      ? [{ documentType, machineId, type: failureType, message: (failureMessage ?? '').slice(0, 300) }]
      : [],
  );
}

async function requireMachines(
  deps: ActivityDependencies,
  operatorUserId: string,
  machineIds: string[],
): Promise<void> {
  const found = await deps.sources.machines(deps.database, {
    operatorUserId,
    machineIds,
    limit: machineIds.length,
  });
  const known = new Set(found.map(({ id }) => id));
  const missing = machineIds.filter((id) => !known.has(id));
  if (missing.length === 0) return;
  const named =
    missing.slice(0, 10).join(', ') + (missing.length > 10 ? ` and ${missing.length - 10} more` : '');
  throw new RepublishError('MachineNotFound', `operator ${operatorUserId} has no machine ${named}`);
}

/** The documents of one machine. Notes the fingerprint of each publishable state by its d tag. */
async function planMachine(
  deps: ActivityDependencies,
  { documentTypes }: LoadMachinesInput,
  machine: MachineRow,
  shared: Set<string>,
  fingerprints: Map<string, string>,
): Promise<PlannedDocument[]> {
  const atmPubkey = parsePublicKey(machine.atm_pubkey ?? '') ?? null;
  const keyProblem =
    atmPubkey === null
      ? `atm_pubkey of machine ${machine.id} is not a public key (64 hex characters or npub)`
      : shared.has(atmPubkey)
        ? `atm_pubkey of machine ${machine.id} is also another machine's: they would overwrite each other's documents`
        : undefined;

  return Promise.all(
    documentTypes.map(async (documentType): Promise<PlannedDocument> => {
      const row = {
        documentType,
        machineId: machine.id,
        machineName: machine.name ?? machine.id,
        atmPubkey,
        outcome: null,
        failureType: null,
        failureMessage: null,
      };
      if (keyProblem !== undefined) {
        return { ...row, outcome: 'failed', failureType: 'MachineKeyInvalid', failureMessage: keyProblem };
      }
      try {
        const plaintext = await readState(deps, documentType, machine.id);
        if (plaintext === undefined) return { ...row, outcome: 'skipped' };
        fingerprints.set(dTag(documentType, atmPubkey ?? ''), fingerprintOf(deps.fingerprintKey, plaintext));
        return row;
      } catch (thrown) {
        if (!(thrown instanceof RepublishError) || !OF_ONE_DOCUMENT.has(thrown.type)) throw thrown;
        const message = `${documentType} of machine ${machine.id}: ${thrown.message}`;
        return { ...row, outcome: 'failed', failureType: thrown.type, failureMessage: message };
      }
    }),
  );
}

function toPublish(machines: MachineRow[], rows: DocumentRow[]): PlannedMachine[] {
  return machines.flatMap(({ id, name }) => {
    const open = rows.filter((row) => row.machineId === id && row.outcome === null);
    return open.length === 0
      ? []
      : [{ machineId: id, name: name ?? id, documentTypes: open.map((row) => row.documentType) }];
  });
}

function countSettled(rows: DocumentRow[]): LoadMachinesResult['settled'] {
  const settled: LoadMachinesResult['settled'] = {};
  for (const { documentType, outcome } of rows) {
    if (outcome === null) continue;
    const counts = (settled[documentType] ??= {});
    counts[outcome] = (counts[outcome] ?? 0) + 1;
  }
  return settled;
}
