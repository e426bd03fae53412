import { type DocumentFailure, type Failure, scopeOf } from '../contract/failures';
import { byMachineAndType } from './machine-name';

/** Documents that failed for one reason. */
export interface ToldReason extends Failure {
  /** By machine and type. */
  documents: DocumentFailure[];
}

/** Failed documents as a person reads them: by what is to be corrected. */
export interface ToldFailures {
  /** What ended or blocks the run comes first, then reasons that documents share, then their own reasons. */
  reasons: ToldReason[];
  /** Documents that the run did not begin. Their reason is the one that ended the run. */
  notAttempted: number;
  /** Failed documents that were not given by name. */
  unnamed: number;
}

/**
 * @param failures as many as are known of `failed`
 * @param cause what ended the run, or why nothing further is begun
 * @param documentTypes in the order of the run
 */
export function tellFailures(
  { failures, failed }: { failures: readonly DocumentFailure[]; failed: number },
  { cause, documentTypes = [] }: { cause?: Failure | undefined; documentTypes?: readonly string[] } = {},
): ToldFailures {
  const reasons = new Map<string, ToldReason>();
  const attempted = failures.filter(({ type }) => type !== 'NotAttempted');
  for (const failure of attempted.toSorted(byMachineAndType(documentTypes))) {
    const { type, message } = failure;
    const key = `${type}: ${message}`;
    const reason = reasons.get(key) ?? { type, message, documents: [] };
    reasons.set(key, reason);
    reason.documents.push(failure);
  }
  const rank = ({ type, documents }: ToldReason): number =>
    type === cause?.type ? 0 : scopeOf(type) !== 'document' || documents.length > 1 ? 1 : 2;
  return {
    // Sorting keeps the order of machines among those of one rank.
    reasons: [...reasons.values()].sort((one, other) => rank(one) - rank(other)),
    notAttempted: failures.length - attempted.length,
    unnamed: Math.max(0, failed - failures.length),
  };
}

/** `10 documents were not attempted`. */
export function notAttemptedLine(documents: number): string {
  return documents === 1 ? '1 document was not attempted' : `${documents} documents were not attempted`;
}
