import type { PageResult, SettlePageInput } from '../contract/activities';
import { beginPage, settlePage as settleInLedger } from '../database/ledger/page';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { PageAttempt } from './page/attempt';
import { resultOf } from './republish-documents';

/**
 * Ends the open documents of a page that no attempt could bring to an outcome. An attempt may live on somewhere: what it has signed
 * and sent is looked at first, and from here on its failures count no more.
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
  await settleInLedger(deps.database, reference, failure);
  return resultOf(deps, reference, attempt, call);
}
