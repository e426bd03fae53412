import { type FailureType, traitsOf, typesWith } from '../../contract/failures';
import { type Finding, findingsOf } from './finding';

/** A database that several checks read, and the check that says what is wrong with it. */
export interface Prerequisite {
  /** With these, whatever reads it fails. */
  types: readonly FailureType[];
  findings: Promise<Finding[]>;
}

/** With these a database cannot be read. Each has its counterpart of LNbits' database. */
export const OF_LEDGER: readonly FailureType[] = typesWith('ofLnbits');
export const OF_LNBITS: readonly FailureType[] = OF_LEDGER.flatMap((type) => traitsOf(type).ofLnbits ?? []);

/**
 * The findings of a check without the failures that follow from those of its prerequisites: such a thing was
 * not looked at. As a FAIL of its own it would hide the cause, and name the wrong remedy.
 */
export async function withoutFollowUps(
  check: Promise<Finding[]>,
  prerequisites: readonly Prerequisite[],
): Promise<Finding[]> {
  const found = await check;
  const failed = await Promise.all(
    prerequisites.map(async ({ types, findings }) => ({ types, causes: (await findings).filter(isFail) })),
  );
  return found.map((finding) => {
    const causes = failed.flatMap(({ types, causes: all }) =>
      isFail(finding) && types.some((type) => type === finding.type) ? all : [],
    );
    return causes.length === 0 ? finding : notLookedAt(finding, causes);
  });
}

/** @param causes the failures that must be repaired first */
export function notLookedAt({ area, subject }: Finding, causes: readonly Finding[]): Finding {
  const names = new Set(causes.map((cause) => `${cause.area} ${cause.subject}`.trim()));
  return findingsOf(area, subject).unknown(`not looked at: first repair ${[...names].join(', ')}`);
}

function isFail({ status }: Finding): boolean {
  return status === 'fail';
}
