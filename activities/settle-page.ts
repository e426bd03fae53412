import type { PageResult, SettlePageInput } from '../contract/activities';
import { beginPage, pageState, settlePage as settleInLedger } from '../database/ledger/page';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { PageAttempt } from './page/attempt';

/**
 * Ends the open documents of a page that no attempt could end. An attempt may still live somewhere: first it
 * looks at what that attempt has signed and sent. From then on the ledger takes no failure from that attempt.
 */
export async function settlePage(
  deps: ActivityDependencies,
  { failure, ...reference }: SettlePageInput,
  call: ActivityCall,
): Promise<PageResult> {
  const begun = await beginPage(deps.database, reference);
  if (begun === undefined) return { counts: {} };
  call.takeInHand(begun);
  const attempt = new PageAttempt(deps, begun, reference, call);
  await attempt.confirmSigned();
  call.signal.throwIfAborted();
  await settleInLedger(deps.database, { ...reference, holder: begun.holder }, failure);
  const { counts, failures } = await pageState(deps.database, reference);
  return {
    counts,
    ...(failures.length === 0 ? {} : { failures }),
    ...(counts.standing ? { stood: true } : {}),
  };
}
