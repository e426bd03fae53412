import type { LoadMachinesInput } from '../../contract/activities';
import { RepublishError } from '../../contract/failures';
import { didYouMean } from '../../rules/suggest';
import { publishedTypes } from '../../database/ledger/documents';
import { openRun as openInLedger, runOf, type RunRow } from '../../database/ledger/runs';
import { parsePublicKey } from '../../nostr/keys';
import { didYouMeanOperator } from '../../sources/similar-operator';
import type { ActivityDependencies, ReadOnlyDependencies } from '../dependencies';
import { currentSigner } from './use-signer';

/**
 * Opens the run in the ledger. Checks, from the ledger and LNbits, that the operator has a signer and that it
 * holds the account's current key. It asks no bunker: a run that finds nothing to sign must not need one.
 */
export async function openRun(
  deps: ActivityDependencies,
  { runId, request }: LoadMachinesInput,
  workflowId: string,
): Promise<RunRow & { operatorPubkey: string }> {
  const { operatorUserId } = request;
  const documentTypes = resolveDocumentTypes(deps, request.documentTypes);
  const operatorPubkey = await accountPubkey(deps, operatorUserId);
  if (request.documentTypes === undefined) await requireTypesOfLedger(deps, operatorPubkey);
  const run = { runId, workflowId, operatorPubkey, documentTypes, request };
  const opened = await openInLedger(deps.database, run);
  requireExpectedKey(operatorPubkey, request.expectedPubkey);
  await currentSigner(deps, { operatorUserId, operatorPubkey });
  return requireSameAccount(opened, operatorPubkey);
}

/**
 * A run that is open already, with the account's key of that time. @throws RepublishError LedgerIncomplete
 */
export async function openedRun(
  deps: Pick<ReadOnlyDependencies, 'database'>,
  runId: string,
): Promise<RunRow & { operatorPubkey: string }> {
  const run = await runOf(deps.database, runId);
  if (run === undefined || run.operatorPubkey === null)
    throw new RepublishError('LedgerIncomplete', `the ledger does not know the run ${runId}`);
  return { ...run, operatorPubkey: run.operatorPubkey };
}

/** A run may hold at its beginning for weeks. @throws RepublishError PlanOutdated */
function requireSameAccount(run: RunRow, operatorPubkey: string): RunRow & { operatorPubkey: string } {
  if (run.operatorPubkey === operatorPubkey) return { ...run, operatorPubkey };
  throw new RepublishError(
    'PlanOutdated',
    `the account's public key is ${operatorPubkey} now, ` +
      `the run was opened for ${run.operatorPubkey ?? 'none'}`,
  );
}

/** @throws RepublishError SignerPubkeyMismatch when the account's key is not the expected one */
export function requireExpectedKey(operatorPubkey: string, expectedPubkey: string | undefined): void {
  if (expectedPubkey !== undefined && expectedPubkey !== operatorPubkey) {
    throw new RepublishError(
      'SignerPubkeyMismatch',
      `the account's public key is ${operatorPubkey}, expected was ${expectedPubkey}`,
    );
  }
}

/** Types that the ledger has documents of under this key, and that this process does not know. */
export async function unknownTypesInLedger(
  deps: Pick<ReadOnlyDependencies, 'database' | 'documentTypes'>,
  operatorPubkey: string,
): Promise<string[]> {
  const known = new Set(deps.documentTypes.map(({ type }) => type));
  return (await publishedTypes(deps.database, operatorPubkey)).filter((type) => !known.has(type));
}

/**
 * A run of all types that leaves one out would end as complete. @throws RepublishError UnknownDocumentType
 */
async function requireTypesOfLedger(deps: ReadOnlyDependencies, operatorPubkey: string): Promise<void> {
  const unknown = await unknownTypesInLedger(deps, operatorPubkey);
  if (unknown.length === 0) return;
  throw new RepublishError(
    'UnknownDocumentType',
    `the ledger has documents of ${unknown.join(', ')}, which this worker does not know: ` +
      'name their modules in "documentTypes" of its configuration, or name the types that the run is for',
  );
}

/** The types of a run, in registry order. @throws RepublishError UnknownDocumentType */
export function resolveDocumentTypes(deps: ReadOnlyDependencies, requested: string[] | undefined): string[] {
  const known = deps.documentTypes.map(({ type }) => type);
  const unknown = (requested ?? []).filter((type) => !known.includes(type));
  if (unknown.length > 0) {
    const named = unknown.map((type) => `"${type}"${didYouMean(type, known)}`);
    throw new RepublishError(
      'UnknownDocumentType',
      `unknown document type ${named.join(', ')}; known are ${known.join(', ')}`,
    );
  }
  return known.filter((type) => requested === undefined || requested.includes(type));
}

/** The account's current key, hex. @throws RepublishError OperatorNotFound */
export async function accountPubkey(
  deps: Pick<ReadOnlyDependencies, 'source'>,
  operatorUserId: string,
): Promise<string> {
  const account = await deps.source.account(operatorUserId);
  if (account === undefined) {
    const meant = await didYouMeanOperator(deps.source, operatorUserId);
    throw new RepublishError('OperatorNotFound', `no account with id ${operatorUserId}${meant}`);
  }
  const pubkey = parsePublicKey(account.pubkey ?? '');
  if (pubkey === undefined) {
    throw new RepublishError('OperatorNotFound', `account ${operatorUserId} has no valid public key`);
  }
  return pubkey;
}
