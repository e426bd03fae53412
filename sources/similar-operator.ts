import { pagesOf } from '../async/pages';
import { RepublishError } from '../contract/failures';
import { didYouMean } from '../rules/suggest';
import type { Source } from './source';

const PAGE = 1_000;
/** A limit for the time that a suggestion may take. */
const MAX_OPERATORS = 10_000;

/**
 * ` (did you mean X?)` for an operator id that LNbits does not know, with a similar id that it knows. Empty:
 * there is none, or LNbits' database cannot be read.
 */
export async function didYouMeanOperator(source: Pick<Source, 'operators'>, id: string): Promise<string> {
  const known: string[] = [];
  try {
    for await (const page of pagesOf<string>(PAGE, (after, limit) => source.operators({ after, limit }))) {
      known.push(...page);
      if (known.length >= MAX_OPERATORS) break;
    }
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
  }
  return didYouMean(id, known);
}
