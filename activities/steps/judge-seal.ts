import { RepublishError } from '../../contract/failures';
import type { Dated } from '../../rules/newest';
import { judgeSeal, type KnownOfAddress, type SealVerdict } from '../../rules/seal';
import type { Seen } from '../../nostr/relays/seen';
import { type RelayLimitsKnown, tooFarAheadForRelays, tooOldForRelays } from './relay-objections';

/** A verdict that the relays' limits allow. */
export type PossibleVerdict<Event extends Dated> = Exclude<SealVerdict<Event>, { kind: 'too far ahead' }>;

/**
 * Judges a document, and checks the date against the limits of the relays. The seal and `republish plan` both
 * use it.
 *
 * @param d of the document's address
 * @param seen what each relay has there
 * @throws RepublishError NewerDocumentExists: no relay would take an event with a date late enough
 */
export async function judgeSealFor<Event extends Dated>(
  deps: RelayLimitsKnown,
  { d, seen }: { d: string; seen: Seen },
  known: Omit<KnownOfAddress<Event>, 'isTooOld'>,
): Promise<PossibleVerdict<Event>> {
  let verdict = judgeSeal(known);
  if (verdict.kind === 'reuse') {
    const tooOld = await tooOldForRelays(deps, verdict.event, { seen, nowS: known.readAtS });
    if (tooOld !== undefined) verdict = judgeSeal({ ...known, isTooOld: true });
  }
  if (verdict.kind === 'too far ahead')
    throw newerExists(d, verdict.createdAtS, 'relays refuse dates more than 15 minutes ahead');
  const aheadS = verdict.kind === 'seal' ? verdict.createdAtS - known.readAtS : 0;
  const refused = aheadS > 0 ? await tooFarAheadForRelays(deps, aheadS) : undefined;
  if (verdict.kind === 'seal' && refused !== undefined) throw newerExists(d, verdict.createdAtS, refused);
  return verdict;
}

function newerExists(d: string, createdAtS: number, why: string): RepublishError {
  return new RepublishError(
    'NewerDocumentExists',
    `the document at ${d} is dated ${dateOf(createdAtS - 1)}; ${why}`,
  );
}

/** ISO 8601, or seconds where no calendar has the date. */
function dateOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString();
}
