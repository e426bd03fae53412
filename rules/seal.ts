import { type Dated, isNewer } from './newest';

/**
 * The newest seal of an address by any other run, signed or not: an unsigned one may have become an event at
 * the bunker.
 */
export interface EarlierRun<Event extends Dated> {
  event: Event | null;
  signature: string | null;
  stateFingerprint: string | null;
}

/** What is known of an address before its document is sealed. */
export interface KnownOfAddress<Event extends Dated> {
  /** The newest event that any relay has there, as far as they were asked. */
  standing: Dated | undefined;
  earlier: EarlierRun<Event> | undefined;
  /** Of the state as it was read. */
  stateFingerprint: string;
  /** Sign again, even if the document stands unchanged. */
  force: boolean;
  /** Too few relays accept events as old as the one of the earlier run: no quorum would hold it. */
  isTooOld?: boolean;
  /** When the state was read. A save in LNbits after that moment must be the newer event. */
  readAtS: number;
}

export type SealVerdict<Event extends Dated> =
  /** An earlier run has signed the same state, and nothing newer stands at the address. */
  | { kind: 'reuse'; event: Event; signature: string }
  | { kind: 'seal'; createdAtS: number; because: Because }
  /**
   * Its date would be a few seconds after the state was read: look and read again at that date.
   */
  | { kind: 'wait'; readAgainAtS: number; because: Because }
  /** Relays refuse dates so far ahead. */
  | { kind: 'too far ahead'; createdAtS: number };

export type Because = 'first' | 'unsigned' | 'changed' | 'other key' | 'newer stands' | 'too old' | 'forced';

/** Relays refuse events that are dated further ahead than this (strfry's default). */
const MAX_AHEAD_S = 900;
/**
 * If the standing event is dated a few seconds ahead, we wait. A document with a later date than that would
 * win over a save of the next seconds.
 */
const WORTH_WAITING_S = 10;

/**
 * Decides whether a document needs a new signature, and with which date it will stand. The plan of a run,
 * `republish plan` and the seal all use this rule.
 */
export function judgeSeal<Event extends Dated>(known: KnownOfAddress<Event>): SealVerdict<Event> {
  const { standing, earlier, readAtS } = known;
  const because = reasonToSign({
    ...known,
    newerStands: standing !== undefined && earlier?.event != null && isNewer(standing, earlier.event),
    earlier: sealOf(earlier),
  });
  if (because === undefined) {
    const { event, signature } = earlier as { event: Event; signature: string };
    return { kind: 'reuse', event, signature };
  }
  // One second back: a save in the same second is then newer. With equal dates the lower id would win.
  const usualS = readAtS - 1;
  const createdAtS = Math.max(usualS, (standing?.created_at ?? 0) + 1, (earlier?.event?.created_at ?? 0) + 1);
  const aheadS = createdAtS - usualS;
  if (aheadS > MAX_AHEAD_S) return { kind: 'too far ahead', createdAtS };
  if (aheadS > 0 && aheadS < WORTH_WAITING_S) return { kind: 'wait', readAgainAtS: createdAtS + 1, because };
  return { kind: 'seal', createdAtS, because };
}

function sealOf<Event extends Dated>(earlier: EarlierRun<Event> | undefined): KnownSeal['earlier'] {
  if (earlier?.event == null) return undefined;
  const { signature, stateFingerprint } = earlier;
  return { isSigned: signature !== null, stateFingerprint };
}

/** The facts of an address that decide whether it needs a signature. The events are not needed. */
interface KnownSeal {
  /** An event that is newer than the earlier seal stands, according to the relays that answered. */
  newerStands: boolean;
  earlier: { isSigned: boolean; stateFingerprint: string | null } | undefined;
  stateFingerprint: string;
  force: boolean;
  isTooOld?: boolean;
}

/** Why a document needs a signature; undefined: the event of an earlier run is reused. */
export function reasonToSign({
  newerStands,
  earlier,
  stateFingerprint,
  force,
  isTooOld,
}: KnownSeal): Because | undefined {
  if (earlier === undefined) return 'first';
  if (newerStands) return 'newer stands';
  if (earlier.stateFingerprint !== stateFingerprint)
    return areComparable(earlier.stateFingerprint ?? '', stateFingerprint) ? 'changed' : 'other key';
  if (!earlier.isSigned) return 'unsigned';
  if (isTooOld) return 'too old';
  return force ? 'forced' : undefined;
}

/**
 * Whether the state has changed since an unsigned event was sealed. If the secrets key has changed, that
 * cannot be known, and the event is signed.
 */
export function isOutOfDate(sealedFingerprint: string | null, stateFingerprint: string): boolean {
  return (
    sealedFingerprint !== null &&
    areComparable(sealedFingerprint, stateFingerprint) &&
    sealedFingerprint !== stateFingerprint
  );
}

/** Whether two fingerprints (`<8 hex of the key>:<64 hex>`) say anything about each other. */
export function areComparable(one: string, other: string): boolean {
  return one.split(':')[0] === other.split(':')[0];
}
