import DataLoader from 'dataloader';
import { RepublishError } from '../contract/failures';

/** How long one waits for company. Nothing beside the seconds that a signer takes, and enough for those that its answers set going together. */
const COMPANY_MS = 5;
const MOST_AT_ONCE = 100;

/**
 * Makes of a statement for many a function for one: what is asked for within the same moment goes to Postgres together, since a round
 * trip costs more than what it carries. Nothing is remembered. What Postgres refuses for many is asked one by one, so that a document
 * that cannot be written is not the failure of those beside it.
 *
 * @param many answers in the order of what was asked; an Error is that one's alone
 */
export function gathered<Asked, Answer>(
  many: (asked: readonly Asked[]) => Promise<readonly (Answer | Error)[]>,
): (asked: Asked) => Promise<Answer> {
  const oneByOne = (asked: readonly Asked[]): Promise<(Answer | Error)[]> =>
    Promise.all(
      asked.map((one) =>
        many([one]).then(
          ([answer]) => answer as Answer | Error,
          (error: Error) => error,
        ),
      ),
    );
  const loader = new DataLoader<Asked, Answer>(
    (asked) =>
      many(asked).catch((thrown: unknown) => {
        const isRefusal = thrown instanceof RepublishError && thrown.type === 'DatabaseMisconfigured';
        if (asked.length === 1 || !isRefusal) throw thrown;
        return oneByOne(asked);
      }),
    {
      cache: false,
      maxBatchSize: MOST_AT_ONCE,
      batchScheduleFn: (send) => void setTimeout(send, COMPANY_MS),
    },
  );
  return (asked) => loader.load(asked);
}
