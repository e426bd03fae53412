import { type Failure, isRetryable, scopeOf, traitsOf } from '../contract/failures';

/** The end of an attempt at a page. */
export interface PageEnd {
  /** Documents that were open when the attempt began. */
  begun: number;
  /** Documents that are open now. */
  open: number;
  /** Whether any document has come further: a seal, a signature, an outcome. */
  advanced: boolean;
  /** Open documents that this attempt did not try: the page yielded first, or the signer is not proved. */
  untried: number;
  /** The failures of this attempt, one for each document that could not be brought to its end. */
  failures: readonly Failure[];
}

/**
 * `again`: the page is tried again after a pause. Every open document was tried, and no document advanced or
 * a person must act. `return`: the page returns its counts.
 */
export function endOfPage({ open, advanced, untried, failures }: PageEnd): 'again' | 'return' {
  const isMoving = advanced && !failures.some(({ type }) => traitsOf(type).needsPerson);
  return open > 0 && !isMoving && untried === 0 ? 'again' : 'return';
}

/**
 * The shared cause for which every document of the page failed: the signer, the relays, a database or this
 * worker. Undefined if only documents are at fault, or if one of them has a good outcome.
 */
export function sharedCause({ begun, open, failures }: PageEnd): Failure | undefined {
  const [first] = failures;
  if (first === undefined || open > 0 || failures.length < begun) return undefined;
  // A refusal of a single document may be about that document. A signer or relay that was away all the time
  // is away for all documents.
  if (begun === 1 && !isRetryable(first.type) && !traitsOf(first.type).affectsAll) return undefined;
  const isShared = failures.every(
    ({ type }) => scopeOf(type) === scopeOf(first.type) && SHARED.has(scopeOf(type)),
  );
  return isShared ? first : undefined;
}

const SHARED: ReadonlySet<string> = new Set(['signer', 'relay', 'database', 'worker']);
