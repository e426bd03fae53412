import { pagesOf } from '../../async/pages';
import { sleep } from '../../async/wait';
import type { SweepInput, SweepResult } from '../../contract/activities';
import type { WaitingDocument } from '../../contract/progress';
import { beginSweep, signedDocuments, type SweptDocument } from '../../database/ledger/sweep';
import { ledgerView } from '../../database/ledger/view';
import { pauseMs } from '../../rules/patience';
import type { HeldbackBy } from '../../rules/quorum';
import type { ActivityCall, ActivityDependencies } from '../dependencies';
import { MAX_SHOWN } from '../display';
import { outdatedAccount } from '../page/read-page';
import { waitingFor as waitsForSlow } from '../page/slow-relays';
import { openedRun } from '../steps/open-run';
import { relayIdentity } from '../steps/relay-identity';
import { Sweeper } from './sweeper';

/** Documents of one batch. */
const BATCH = 100;
/** While the relays are asked about one batch, another is compared with LNbits. */
const BATCHES_AT_ONCE = 3;
/** A relay may say OK a moment before its reads show the event. Only what was sent is waited for. */
const SHOWN_AFTER_MS = 1_500;

/**
 * Looks at every signed document of a run once more, after all pages: an OK of an hour ago and a read-back of
 * a minute ago prove nothing about now. The first pass sends what is missing. Documents for which too few
 * relays answer are tried on, and sent where a relay comes back without them. Whenever anything was sent, a
 * pass looks at all documents again, and only that one decides: a relay may drop one document for another.
 *
 * Where pages have open documents, it names these pages and looks at nothing, unless the run is blocked.
 */
export async function sweep(
  deps: ActivityDependencies,
  { runId, blocked }: SweepInput,
  call: ActivityCall,
): Promise<SweepResult> {
  const before = await ledgerView(deps.database, runId);
  if (before.pages.length > 0 && !blocked) return { ...before, swept: false };
  const run = await openedRun(deps, runId);
  const sweepNumber = await beginSweep(deps.database, runId);
  const sweeper = new Sweeper(deps, { run, sweepNumber, identity: relayIdentity(deps, run, call), call });
  await pass(deps, runId, call, sweeper, 'send what is missing');
  let untilMs: number | undefined;
  do {
    if (sweeper.hasSent) {
      await sleep(SHOWN_AFTER_MS, call.signal);
      await pass(deps, runId, call, sweeper, 'decide');
    }
    untilMs = await tryOn(deps, call, sweeper, untilMs);
  } while (sweeper.hasSent);
  deps.failpoint('after-sweep');
  const outdated = await outdatedAccount(deps, run.operatorUserId, run.operatorPubkey);
  return {
    ...(await ledgerView(deps.database, runId)),
    swept: true,
    ...(outdated === undefined ? {} : { failure: { type: outdated.type, message: outdated.message } }),
  };
}

async function pass(
  deps: ActivityDependencies,
  runId: string,
  { signal }: ActivityCall,
  sweeper: Sweeper,
  purpose: 'send what is missing' | 'decide',
): Promise<void> {
  sweeper.unanswered = [];
  sweeper.waitsFor = undefined;
  sweeper.hasSent = false;
  const batches = pagesOf<SweptDocument>(BATCH, (after, limit) =>
    signedDocuments(deps.database, runId, after, limit),
  );
  const lane = async (): Promise<void> => {
    for await (const documents of batches) {
      signal.throwIfAborted();
      await sweeper.sweep(documents, purpose);
    }
  };
  await Promise.all(Array.from({ length: BATCHES_AT_ONCE }, lane));
}

/**
 * A relay that does not answer proves nothing. A relay that refuses an event for now may take it later. Both
 * are asked again for as long as a document may wait. Time for which a relay takes questions slowly does not
 * count.
 *
 * @param untilMs of an earlier call of this sweep: all of them share the time, so that they come to an end
 * @returns `untilMs` for the next call
 */
async function tryOn(
  { patience }: ActivityDependencies,
  call: ActivityCall,
  sweeper: Sweeper,
  untilMs = Date.now() + patience.documentTimeoutMs,
): Promise<number> {
  const { signal } = call;
  const since = new Date().toISOString();
  for (let tries = 1; sweeper.unanswered.length > 0; tries += 1) {
    const documents = sweeper.unanswered.splice(0);
    const isLast = Date.now() >= untilMs;
    const { waitsFor, taken } = sweeper;
    sweeper.waitsFor = undefined;
    call.show(() => ({ waiting: waitingFor(documents, waitsFor ?? since) }));
    if (waitsFor !== undefined) {
      const waitMs = Math.max(1, waitsFor.untilMs - Date.now());
      untilMs += waitMs;
      await sleep(waitMs, signal);
    }
    for (let begin = 0; begin < documents.length; begin += BATCH) {
      signal.throwIfAborted();
      await sweeper.sweep(documents.slice(begin, begin + BATCH), isLast ? 'give up' : 'try on');
    }
    if (sweeper.unanswered.length === 0) break;
    if (sweeper.waitsFor !== undefined) continue;
    // What a relay has taken just now is looked at soon.
    if (sweeper.taken > taken) tries = 1;
    const pause = Math.min(pauseMs(patience, tries), Math.max(1, untilMs - Date.now()));
    await sleep(pause, signal);
  }
  return untilMs;
}

/** @param what the slow relay; or the time since when too few relays answer or take the documents */
function waitingFor(documents: readonly SweptDocument[], what: HeldbackBy | string): WaitingDocument[] {
  const reason =
    typeof what === 'string'
      ? { why: 'too few relays have it, and others do not answer or do not take it now', since: what }
      : { why: waitsForSlow(what) };
  return documents
    .slice(0, MAX_SHOWN)
    .map(({ documentType, machineId, machineName }) => ({ documentType, machineId, machineName, ...reason }));
}
