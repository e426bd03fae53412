import { type Failure, isRetryable, scopeOf, traitsOf } from '../contract/failures';

/** What an attempt at a page has come to. */
export interface PageEnd {
  /** Documents that were open when it began. */
  begun: number;
  /** Documents that are open now. */
  open: number;
  /** Whether any document has come further: a seal, a signature, an outcome. */
  advanced: boolean;
  /** Open documents that were not tried: their turn did not come, or their signer is not proved. */
  untried: number;
  /** The failures of this attempt, one for each document that could not be brought to its end. */
  failures: readonly Failure[];
}

/**
 * `again`: nothing but passing trouble is left, and a pause may help. `return`: the page tells how it stands.
 * Where a person has to come there is a pause also after something has come further.
 */
export function endOfPage({ open, advanced, untried, failures }: PageEnd): 'again' | 'return' {
  const goesOn = advanced && !failures.some(({ type }) => traitsOf(type).needsPerson);
  return open > 0 && !goesOn && untried === 0 ? 'again' : 'return';
}

/**
 * The one reason for which every document of the page has failed, if others will fail for it too: the signer,
 * the relays, a database or this worker. Undefined where only documents are at fault, or one has ended well.
 */
export function sharedCause({ begun, open, failures }: PageEnd): Failure | undefined {
  const [first] = failures;
  if (first === undefined || open > 0 || failures.length < begun) return undefined;
  // A no to a single document may well be about that one, where a signer or relay that was away for its whole
  // time is so for all.
  if (begun === 1 && !isRetryable(first.type) && !traitsOf(first.type).affectsAll) return undefined;
  const isShared = failures.every(
    ({ type }) => scopeOf(type) === scopeOf(first.type) && SHARED.has(scopeOf(type)),
  );
  return isShared ? first : undefined;
}

const SHARED: ReadonlySet<string> = new Set(['signer', 'relay', 'database', 'worker']);
