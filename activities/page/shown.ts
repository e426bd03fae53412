import type { HeartbeatDetails, PageCounts } from '../../contract/activities';
import { stagesOf, type WaitingDocument } from '../../contract/progress';
import { MAX_SHOWN } from '../display';
import type { PageAttempt } from './attempt';
import type { Trouble } from './document';
import { waitingFor } from './slow-relays';

/** What the heartbeats of an attempt show. @param counts of the page before the attempt */
export function shownOf(attempt: PageAttempt, counts: PageCounts): HeartbeatDetails {
  const stages = stagesOf(counts);
  for (const { row, event, signature, sent, ended } of attempt.documents) {
    if (event !== null && row.event === null) stages.encrypted += 1;
    if (signature !== null && row.signature === null) stages.signed += 1;
    if (sent !== undefined && !row.sent) stages.sent += 1;
    if (ended === 'well') stages.standing += 1;
  }
  const { documentType } = attempt.facts;
  return { page: { page: attempt.page, documentType }, stages, waiting: waitingOf(attempt) };
}

/** @param those `without trouble`: after the attempt the troubles are read from the ledger */
export function waitingOf(
  { deps, facts, documents }: PageAttempt,
  those: 'all' | 'without trouble' = 'all',
): WaitingDocument[] {
  const { documentType } = facts;
  const { waitsFor: slow } = deps.publisher.roomForEvents();
  const slowly = slow && waitingFor(slow);
  return documents
    .flatMap(({ row, trouble, waitsFor, ended }): WaitingDocument[] => {
      if (those === 'without trouble' && !trouble?.isWait) return [];
      const why = (waitsFor === 'relays' && slowly) || (waitsFor ?? (trouble && describe(trouble)));
      if (why === undefined || ended) return [];
      const type =
        waitsFor === undefined ? trouble?.type : waitsFor === 'relays' && slowly && 'RelayThrottled';
      const since = row.troubleSince === null ? {} : { since: row.troubleSince, tries: row.tries };
      const { machineId, machineName } = row;
      return [
        { documentType, machineId, machineName, why: why.slice(0, 300), ...(type ? { type } : {}), ...since },
      ];
    })
    .slice(0, MAX_SHOWN);
}

function describe({ type, message, isWait }: Trouble): string {
  return isWait ? message : `${type}: ${message}`;
}
