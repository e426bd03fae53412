import DataLoader from 'dataloader';
import { isAboutStatement } from './connection';

/** How long a document's statement waits for those of others. */
const COMPANY_MS = 5;
const MOST_AT_ONCE = 100;
/** After Postgres took so long to refuse the many, which all of them had to wait for, each is asked alone for a while. */
const SLOW_MS = 2_000;
const ALONE_MS = 10 * 60_000;

/**
 * Makes one statement of those that are asked for in the same moment, since a round trip costs more than what it carries. Nothing is
 * remembered. Whatever the statement for many says nothing of, the statement for one is asked; and all of them when Postgres refused
 * it, so that what is wrong with one is not the failure of those beside it.
 *
 * @param many answers in the order of what was asked, undefined where it says nothing
 */
export function gathered<Asked, Answer>({
  many,
  one,
}: {
  many(asked: readonly Asked[]): Promise<(Answer | undefined)[]>;
  one(asked: Asked): Promise<Answer>;
}): (asked: Asked) => Promise<Answer> {
  let aloneUntilMs = 0;
  const together = new DataLoader<Asked, Answer | undefined>(
    async (asked) => {
      const nothing = asked.map(() => undefined);
      const askedAtMs = Date.now();
      if (asked.length === 1 || askedAtMs < aloneUntilMs) return nothing;
      try {
        return await many(asked);
      } catch (thrown) {
        if (!isAboutStatement(thrown)) throw thrown;
        if (Date.now() - askedAtMs > SLOW_MS) aloneUntilMs = Date.now() + ALONE_MS;
        return nothing;
      }
    },
    {
      cache: false,
      maxBatchSize: MOST_AT_ONCE,
      batchScheduleFn: (send) => void setTimeout(send, COMPANY_MS),
    },
  );
  return async (asked) => (await together.load(asked)) ?? one(asked);
}
