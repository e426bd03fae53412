import type { PageResult, SettlePageInput } from '../contract/activities';
import { beginPage, pageState, settlePage as settleInLedger } from '../database/ledger/page';
import type { ActivityCall, ActivityDependencies } from './dependencies';
import { PageAttempt } from './page/attempt';

/**
 * Ends the open documents of a page that no attempt could bring to an outcome. An attempt may live on
 * somewhere: what it has signed and sent is looked at first, and from here on its failures count no more.
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
  return { counts, ...(failures.length === 0 ? {} : { failures }) };
}
