import { RepublishError } from '../../contract/failures';
import type { EarlierSeal, SealedEvent } from '../../database/ledger/documents';
import { isNewer, type SignedEvent } from '../../nostr/events';
import type { Sighting } from '../../nostr/relays/publisher';
import type { ActivityDependencies } from '../dependencies';
import { areComparable } from './fingerprint';
import { tooFarAheadForRelays } from './relay-limits';

/** Relays refuse events that are dated further ahead than this (strfry's default). */
const MAX_AHEAD_S = 900;

/** What is known of an address before its document is sealed. */
interface KnownOfAddress {
  d: string;
  /** What the relays have there, by URL. */
  seen: Map<string, Sighting>;
  /** The newest seal of any other run. */
  earlier: EarlierSeal | undefined;
  /** Of the state as it is now. */
  stateFingerprint: string;
  force: boolean;
  nowS: number;
}

type SealVerdict =
  /** An earlier run has signed this very state, and nothing newer stands there. */
  | { kind: 'reuse'; event: SealedEvent; signature: string }
  | {
      kind: 'anew';
      createdAtS: number;
      because: 'first' | 'unsigned' | 'changed' | 'other key' | 'newer stands' | 'forced';
    };

/**
 * Whether a document has to be signed anew, and of which date it must be then to stand. The seal asks this to act, and
 * `republish plan` to say what a run would do.
 *
 * @throws RepublishError NewerDocumentExists when no relay would take an event dated late enough
 */
export async function judgeSeal(deps: ActivityDependencies, known: KnownOfAddress): Promise<SealVerdict> {
  const { seen, earlier, nowS, d } = known;
  const standing = newestOf(seen);
  const newerStands = Boolean(standing && earlier?.event && isNewer(standing, earlier.event));
  const isSame = earlier?.stateFingerprint === known.stateFingerprint;
  if (!known.force && earlier?.event && !newerStands && earlier.signature !== null && isSame)
    return { kind: 'reuse', event: earlier.event, signature: earlier.signature };

  // A second back: a save in this very second is then the newer one, and not a matter of the lowest id.
  const createdAtS = Math.max(
    nowS - 1,
    (standing?.created_at ?? 0) + 1,
    (earlier?.event?.created_at ?? 0) + 1,
  );
  if (createdAtS > nowS + MAX_AHEAD_S) {
    throw new RepublishError(
      'NewerDocumentExists',
      `the document at ${d} is dated ${dateOf(createdAtS - 1)}; relays refuse dates more than 15 minutes ahead`,
    );
  }
  const tooFarAhead = await tooFarAheadForRelays(deps, createdAtS - nowS);
  if (tooFarAhead !== undefined) {
    throw new RepublishError(
      'NewerDocumentExists',
      `the document at ${d} is dated ${dateOf(createdAtS - 1)}; ${tooFarAhead}`,
    );
  }
  return { kind: 'anew', createdAtS, because: reasonFor(known, newerStands, isSame) };
}

function reasonFor(
  { earlier, stateFingerprint }: KnownOfAddress,
  newerStands: boolean,
  isSame: boolean,
): Extract<SealVerdict, { kind: 'anew' }>['because'] {
  if (earlier?.event == null) return 'first';
  if (newerStands) return 'newer stands';
  if (!isSame)
    return areComparable(earlier.stateFingerprint ?? '', stateFingerprint) ? 'changed' : 'other key';
  return earlier.signature === null ? 'unsigned' : 'forced';
}

function newestOf(seen: Map<string, Sighting>): SignedEvent | undefined {
  let newest: SignedEvent | undefined;
  for (const sighting of seen.values()) {
    if (sighting.kind === 'event' && (newest === undefined || isNewer(sighting.event, newest)))
      newest = sighting.event;
  }
  return newest;
}

/** ISO 8601; a date that no calendar holds is given in seconds. */
function dateOf(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString();
}
