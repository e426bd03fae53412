import type { GoodOutcome } from '../../contract/progress';
import { noteSent, settleGood, type Settlement } from '../../database/ledger/facts';
import type { SignedEvent } from '../../nostr/events';
import type { Placement, Sent } from '../../nostr/relays/seen';
import { RETURNS_LATER_MS } from '../../rules/patience';
import { thoseWithout } from '../../rules/quorum';
import type { PageAttempt } from './attempt';
import type { PageDocument, Trouble } from './document';
import { slowRelay } from './slow-relays';

/**
 * Sends signed documents to the relays that do not have them, reads all of them back, and settles those that
 * stand.
 *
 * @returns documents whose reused event relays refuse for itself or do not keep; they need a new seal
 */
export async function place(page: PageAttempt, documents: readonly PageDocument[]): Promise<PageDocument[]> {
  if (documents.length === 0) return [];
  const { deps, facts } = page;
  const { publisher } = deps;
  const placing = documents.map(async (document) => {
    const event = signedEvent(document);
    document.waitsFor = 'relays';
    document.sent ??= publisher.send(event, { seen: document.seen, identity: facts.identity });
    return { event, seen: document.seen, sent: await document.sent };
  });
  const sent = await Promise.all(placing);
  for (const [index, document] of documents.entries()) if (!wasSent(sent[index]?.sent)) delete document.sent;
  const [placements] = await Promise.all([
    publisher.confirm(sent, facts.identity),
    writeSent(page, documents),
  ]);
  const settled: Settlement[] = [];
  const toReseal: PageDocument[] = [];
  for (const [index, document] of documents.entries()) {
    delete document.waitsFor;
    const placement = placements[index];
    if (placement === undefined) continue;
    const good = outcomeOf(placement, document);
    if (good !== undefined) {
      settled.push({
        machineId: document.row.machineId,
        eventId: signedEvent(document).id,
        relays: placement.relays,
        ...good,
      });
    } else if (placement.needsAnother && document.reused && !document.resealed) {
      document.replaces = signedEvent(document).id;
      delete document.sent;
      toReseal.push(document);
    } else page.note(document, troubleWith(page, placement));
  }
  await settle(page, documents, settled);
  return toReseal;
}

/** The stage of a document is shown also before anything stands. */
async function writeSent({ deps, facts }: PageAttempt, documents: readonly PageDocument[]): Promise<void> {
  const machineIds = documents.flatMap(({ row, sent }) =>
    row.sent || sent === undefined ? [] : [row.machineId],
  );
  if (machineIds.length > 0) await noteSent(deps.database, facts, machineIds);
}

/** True if the event went to a relay. Also true without replies: then every relay had the event before. */
function wasSent(replies: Sent = new Map()): boolean {
  return replies.size === 0 || [...replies.values()].some(({ kind }) => kind !== 'heldback');
}

function signedEvent({ event, signature }: PageDocument): SignedEvent {
  return { ...event, sig: signature } as SignedEvent;
}

function outcomeOf(
  { newer, holding, required, stoodAlready }: Placement,
  { reused }: PageDocument,
): { outcome: GoodOutcome; supersededBy?: string } | undefined {
  // The operator saved a change meanwhile. That event stands; an older state must not replace it.
  if (newer !== undefined) return { outcome: 'superseded', supersededBy: newer.id };
  if (holding < required) return undefined;
  return { outcome: reused && stoodAlready ? 'unchanged' : 'published' };
}

async function settle(
  page: PageAttempt,
  documents: readonly PageDocument[],
  settled: Settlement[],
): Promise<void> {
  if (settled.length === 0) return;
  const { deps, facts } = page;
  deps.failpoint('after-quorum');
  const standing = await settleGood(deps.database, facts, settled);
  deps.failpoint('after-settle');
  const ended: Partial<Record<GoodOutcome, number>> = {};
  const byMachine = new Map(documents.map((document) => [document.row.machineId, document]));
  for (const { machineId, outcome } of settled) {
    // A document with another outcome was closed or skipped before, and is counted as that.
    const isOurs = standing.get(machineId) === outcome;
    if (isOurs) ended[outcome] = (ended[outcome] ?? 0) + 1;
    const document = byMachine.get(machineId);
    if (document !== undefined) document.ended = isOurs ? 'well' : 'otherwise';
  }
  page.advanced = true;
  for (const [outcome, count] of Object.entries(ended))
    deps.telemetry?.documentsEnded(facts.documentType, outcome as GoodOutcome, count);
}

function troubleWith({ deps }: PageAttempt, placement: Placement): Trouble {
  const { hopeless, holding, required, relays, waitsForReturn, waitsFor } = placement;
  const message = `${holding} of the ${required} required relays hold the document; ${thoseWithout(relays)}`;
  if (waitsFor !== undefined) return slowRelay(deps, waitsFor, { message, relays });
  return {
    type: hopeless ? 'RelayRefused' : 'RelayQuorumNotReached',
    message,
    final: hopeless,
    retryAfterMs: waitsForReturn ? RETURNS_LATER_MS : undefined,
    relays,
  };
}
