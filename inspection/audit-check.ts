import {
  auditChain,
  auditedOperators,
  auditOfRun,
  closedWithoutAudit,
  type WrittenAuditRow,
} from '../database/audit';
import { runMembersHash, fleetMembersHash, sha256 } from '../database/audit-chain';
import type { Queryable } from '../database/connection';
import { closedFleetsWithoutAudit, fleetAuditChain, type WrittenFleetAuditRow } from '../database/fleets';
import { type ChainKind, type Misfit, misfitOf, rowHash } from '../rules/audit-chain';

/** The first row of a chain that does not match its hash or the row before. */
export interface FirstMisfit {
  /**
   * `row missing`: the run or fleet is closed, which writes an audit row in the same transaction, and there
   * is none.
   */
  what: Misfit | 'row missing';
  /** Null: the row is missing. */
  position: number | null;
  runId: string;
  /** ISO 8601: when the row was written, or the run or fleet closed. */
  writtenAt: string;
}

/** The result for one chain. */
export interface CheckedChain {
  /** Null: the chain of all fleets. */
  operatorUserId: string | null;
  /** How many rows match, counted from the first. */
  rows: number;
  /** Hash of the last matching row. Null: there is none. */
  head: string | null;
  /** Rows after this one were not checked. Null: all rows match. */
  misfit: FirstMisfit | null;
  /** The matching row with the hash that was asked for, if any. */
  kept: { position: number; runId: string; writtenAt: string } | null;
}

type AuditLink = WrittenAuditRow | WrittenFleetAuditRow;

interface Chain {
  kind: ChainKind;
  rows(offset: number, limit: number): Promise<AuditLink[]>;
  membersOf(runId: string): Promise<string>;
}

/** The row of a large run can have a megabyte. */
const AT_ONCE = 20;

/**
 * Checks the chain of an operator, or all chains and that of the fleets, up to the first row that does not
 * match. Every hash is computed again from what the database contains now.
 *
 * @param subject an operator, or a run of an operator. Absent: all chains
 * @param head a hash that was kept elsewhere, to look for
 * @returns an empty list for a subject without an audit and without a closed run
 */
export async function checkAudit(db: Queryable, subject?: string, head?: string): Promise<CheckedChain[]> {
  const checked: CheckedChain[] = [];
  for (const operator of subject === undefined ? await auditedOperators(db) : [await operatorOf(db, subject)])
    checked.push(await checkOperator(db, operator, head));
  if (subject === undefined) checked.push(await checkFleets(db, head));
  return checked.filter(({ rows, misfit }) => rows > 0 || misfit !== null);
}

async function operatorOf(db: Queryable, subject: string): Promise<string> {
  return (await auditOfRun(db, subject))?.operatorUserId ?? subject;
}

async function checkOperator(
  db: Queryable,
  operatorUserId: string,
  head: string | undefined,
): Promise<CheckedChain> {
  const walked = await walk(
    {
      kind: 'run',
      rows: (offset, limit) => auditChain(db, operatorUserId, { offset, limit }),
      membersOf: (runId) => runMembersHash(db, runId),
    },
    head,
  );
  const misfit = walked.misfit ?? missingRow(await closedWithoutAudit(db, operatorUserId));
  return { operatorUserId, ...walked, misfit };
}

function missingRow([missing]: { runId: string; closedAt: string }[]): FirstMisfit | null {
  if (missing === undefined) return null;
  return { what: 'row missing', position: null, runId: missing.runId, writtenAt: missing.closedAt };
}

async function checkFleets(db: Queryable, head: string | undefined): Promise<CheckedChain> {
  const walked = await walk(
    {
      kind: 'fleet',
      rows: (offset, limit) => fleetAuditChain(db, { offset, limit }),
      membersOf: (runId) => fleetMembersHash(db, runId),
    },
    head,
  );
  const misfit = walked.misfit ?? missingRow(await closedFleetsWithoutAudit(db));
  return { operatorUserId: null, ...walked, misfit };
}

async function walk(chain: Chain, head: string | undefined): Promise<Omit<CheckedChain, 'operatorUserId'>> {
  let previous: AuditLink | undefined;
  let rows = 0;
  let kept: CheckedChain['kept'] = null;
  const end = (misfit: FirstMisfit | null) => ({ rows, head: previous?.hash ?? null, misfit, kept });
  for (let page: AuditLink[]; (page = await chain.rows(rows, AT_ONCE)).length > 0;) {
    for (const row of page) {
      const { position, runId, writtenAt } = row;
      const what = misfitOf(previous, row, await found(chain, row));
      if (what !== undefined) return end({ what, position, runId, writtenAt });
      previous = row;
      rows += 1;
      if (row.hash === head) kept = { position, runId, writtenAt };
    }
  }
  return end(null);
}

/** A moved row is searched at up to this many positions. */
const MAX_PLACES = 100;

async function found(chain: Chain, { hash: _, ...row }: AuditLink) {
  return {
    hashAt: (position: number) => rowHash(sha256, chain.kind, { ...row, position }),
    membersHash: await chain.membersOf(row.runId),
    rows: MAX_PLACES,
  };
}
