import { RepublishError } from '../contract/failures';
import { didYouMean } from '../rules/suggest';
import type { Source } from './source';

const PAGE = 1_000;
/** Beyond these it takes longer than a mistyped word is worth. */
const MAX_OPERATORS = 10_000;

/**
 * ` (did you mean X?)` behind an operator whom LNbits does not know, by those whom it does; nothing where
 * none is near, or where LNbits does not tell.
 */
export async function didYouMeanOperator(source: Pick<Source, 'operators'>, id: string): Promise<string> {
  const known: string[] = [];
  try {
    for (let after: string | undefined; known.length < MAX_OPERATORS;) {
      const page = await source.operators({ after, limit: PAGE });
      known.push(...page);
      if (page.length < PAGE) break;
      after = page.at(-1);
    }
  } catch (thrown) {
    if (!(thrown instanceof RepublishError)) throw thrown;
  }
  return didYouMean(id, known);
}
