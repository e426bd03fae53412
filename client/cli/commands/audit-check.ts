import type { CheckedChain, FirstMisfit } from '../../../inspection/audit-check';
import { print, printJson } from '../output';
import { paragraph } from '../terminal/table';

/** The audit in the database differs from what was written. */
class AuditChanged extends Error {
  override readonly name = 'AuditChanged';
  readonly type = 'AuditChanged';
}

/** @throws AuditChanged; UsageError; OperatorNotFound where there is nothing to check of the subject */
export async function auditCheck(
  subject: string | undefined,
  { head: given, json }: { head?: string; json?: true },
): Promise<void> {
  const { withReadOnlyDatabase } = await import('../database.js');
  const { checkAudit } = await import('../../../inspection/audit-check.js');
  const { RepublishError } = await import('../../../contract/failures.js');
  const { UsageError } = await import('../fail.js');
  const head = given?.trim().toLowerCase();
  if (head !== undefined && !/^[0-9a-f]{64}$/.test(head))
    throw new UsageError('--head takes the 64 hex characters that a run or `republish audit` has shown');

  const chains = await withReadOnlyDatabase((database) => checkAudit(database, subject, head));
  if (json) printJson(chains);
  else for (const chain of chains) print(paragraph(line(chain)));
  if (subject !== undefined && chains.length === 0)
    throw new RepublishError(
      'OperatorNotFound',
      `there is no audit of "${subject}": neither a run nor an operator that had one`,
    );
  if (!json && chains.length === 0) print('no audit has been written yet');

  const wrong = chains.filter(({ misfit }) => misfit !== null);
  const kept = chains.find((chain) => chain.kept !== null);
  if (!json && kept !== undefined) print(paragraph(keptLine(kept)));
  if (wrong.length > 0)
    throw new AuditChanged(
      `${wrong.map(nameOf).join(', ')}: a row does not match its hash or the row before it`,
    );
  if (head !== undefined && kept === undefined)
    throw new AuditChanged(
      'no audit row has this hash. A row was changed or removed, or the hash is from another database',
    );
}

function nameOf({ operatorUserId }: CheckedChain): string {
  return operatorUserId === null ? 'fleets' : `operator ${operatorUserId}`;
}

function line(chain: CheckedChain): string {
  const { rows, head, misfit } = chain;
  const good = rows === 0 ? '' : `${rows} ${rows === 1 ? 'row matches' : 'rows match'}, head ${head}`;
  if (misfit === null) return `${nameOf(chain)}: ${good}`;
  const { position, runId, writtenAt } = misfit;
  const first =
    position === null
      ? `the audit row of ${chain.operatorUserId === null ? 'fleet' : 'run'} ${runId}, closed ${writtenAt}, is missing`
      : `row ${position} does not match (run ${runId}, ${writtenAt}): ${WHY[misfit.what]}`;
  return `${nameOf(chain)}: ${first}${good === '' ? '' : `; before it: ${good}`}`;
}

const WHY: Record<FirstMisfit['what'], string> = {
  'row changed': 'the row was changed after it was written',
  'order changed': 'the row was written at another position of the chain',
  'rows missing': 'rows before it were removed',
  'row before it replaced': 'the row before it was replaced after this row was written',
  'members changed': 'the rows of the ledger that it covers were changed after it was written',
  'row missing': 'it was closed, but it has no row',
};

function keptLine({ kept, rows, misfit, ...chain }: CheckedChain): string {
  const { position = 0, writtenAt } = kept ?? {};
  const since = rows - position;
  const later = since === 0 ? 'no later row' : `${since} later ${since === 1 ? 'row' : 'rows'}`;
  const whose = chain.operatorUserId === null ? 'all fleets' : `operator ${chain.operatorUserId}`;
  return `this hash is the one of row ${position} of ${whose}, written ${writtenAt}: no row up to it was changed or removed; ${later}${misfit === null || since === 0 ? '' : since === 1 ? ' matches' : ' match'}`;
}
