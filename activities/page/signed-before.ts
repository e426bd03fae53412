import { RepublishError } from '../../contract/failures';
import { isAuthentic } from '../../nostr/events';
import { shownBy } from '../../rules/quorum';
import type { PageAttempt } from './attempt';
import type { PageDocument } from './document';
import { look, withoutQuorum } from './prepare';
import { readPage } from './read-page';

/**
 * Of documents that an earlier attempt had signed, those that may be sent: they stand already, or the plan is
 * still right for them. They may have waited for days.
 */
export async function stillRight(page: PageAttempt, signed: PageDocument[]): Promise<PageDocument[]> {
  if (signed.length === 0) return [];
  const { deps, facts } = page;
  await look(deps, facts, signed);
  const good = authentic(
    page,
    signed.filter((document) => !isUnseen(page, document)),
  );
  const absent = good.filter(({ event, seen }) => event !== null && !isSeenSomewhere(event.id, seen));
  if (absent.length === 0) return good;
  const machines = absent.map(({ row }) => row);
  const read = await readPage(deps, { ...facts, machines }).catch((thrown: unknown) => {
    if (thrown instanceof RepublishError) return undefined;
    throw thrown;
  });
  // LNbits cannot be read: signed documents are finished, and the sweep compares them again.
  if (read === undefined) return good;
  for (const document of absent) {
    const trouble = read.outdated ?? read.documents.get(document.row.machineId);
    if (trouble !== undefined && 'type' in trouble && trouble.type === 'PlanOutdated')
      page.note(document, { type: 'PlanOutdated', message: trouble.message, final: true });
  }
  return good.filter(({ trouble }) => trouble === undefined);
}

/** Those with a valid signature in the ledger. Relays would refuse the others without a useful word. */
export function authentic(page: PageAttempt, documents: PageDocument[]): PageDocument[] {
  return documents.filter((document) => {
    const { event, signature } = document;
    if (event === null || signature === null) return false;
    if (isAuthentic({ ...event, sig: signature })) return true;
    const message = 'the signature in the ledger does not fit the sealed event';
    page.note(document, { type: 'SignerReturnedWrongEvent', message, final: true });
    return false;
  });
}

/** Relays that take questions slowly have not answered yet. This document may stand already. */
function isUnseen(page: PageAttempt, document: PageDocument): boolean {
  const unanswered = withoutQuorum(page.deps, document.seen);
  if (unanswered?.type !== 'RelayThrottled') return false;
  page.note(document, unanswered);
  return true;
}

function isSeenSomewhere(eventId: string, seen: PageDocument['seen']): boolean {
  return [...(seen?.values() ?? [])].some((sighting) => shownBy(sighting)?.id === eventId);
}
