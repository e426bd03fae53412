import type { RelayStanding } from '../contract/relay-standing';
import { withLastWords } from './last-words';
import { type Dated, isNewer } from './newest';
import type { PaceNow } from './pace';

/** How many relays must hold a document: more than half, all, or a number. */
export type Quorum = 'majority' | 'all' | number;

/** The quorum as a number of relays. */
export function quorumSize(quorum: Quorum, relays: number): number {
  if (quorum === 'majority') return Math.floor(relays / 2) + 1;
  return quorum === 'all' ? relays : quorum;
}

/**
 * What one relay has at an address, as a machine would see it. `unseen`: a gateway was asked and showed
 * nothing, which proves nothing. `unknown`: the relay could not be asked, or did not finish its answer.
 */
export type SightingOf<E extends Dated> =
  | { kind: 'event'; event: E }
  | { kind: 'nothing' }
  | { kind: 'unseen' }
  | {
      kind: 'unknown';
      reason: string;
      /** An event that it showed before it stopped: at least this one is at the address. */
      event?: E;
      /** No answer came in time. */
      isSilent?: true;
      /** It is away, and it reconnects automatically: in minutes, not in seconds. */
      returnsLater?: true;
      /** It refuses us, and will refuse us later. */
      isFinal?: true;
      /** It shows nothing without authentication (NIP-42). */
      wantsIdentity?: true;
      /** It was not asked, or did not answer, because it takes questions slowly. */
      heldback?: Heldback;
    };

/** A relay that takes events or questions slowly, and has to be waited for. */
export interface Heldback extends PaceNow {
  traffic: 'events' | 'questions';
  /** Its reason for the last refusal. */
  words: string;
  /** True: it refused this event or another one just now. False: it was not asked. */
  wasTried: boolean;
}

/** The same, by the relay's name as it may be shown. */
export type HeldbackBy = Heldback & { relay: string };

/** How a relay answered an EVENT. Only reading back proves what the relay holds. */
export type SendReply =
  /** The relay accepts the event, or has it or a newer one (`duplicate:`). */
  | { kind: 'ok'; message: string }
  /**
   * `isFinal`: this relay will refuse the event each time. `isForItself`: the refusal is about this event,
   * and the relay may accept another one. Otherwise the refusal is about the author, or about every event.
   */
  | { kind: 'refused'; message: string; isFinal: boolean; isForItself?: true }
  /** It limits the rate of events, and was not sent this one or refused it. */
  | { kind: 'heldback'; heldback: Heldback }
  /** No OK has come yet. `words`: the last words of the relay, about anything. */
  | { kind: 'silent'; words?: string }
  /** It was given to a gateway, which does not answer. */
  | { kind: 'forwarded' }
  /** It could not be sent, or the connection was lost before the OK. */
  | { kind: 'lost'; reason: string };

/** All that is known of an event and one relay. */
export interface Evidence<E extends Dated> {
  /** What stood there before anything was sent. */
  seen?: SightingOf<E> | undefined;
  sent?: SendReply | undefined;
  /** What was read back. */
  confirmed?: SightingOf<E> | undefined;
}

/** The verdict on one relay, from its evidence. */
export interface RelayVerdict<E extends Dated> {
  standing: RelayStanding;
  /** The newer event that stands at the address instead. */
  newer?: E;
  returnsLater?: true;
  /** This relay will refuse the event each time. */
  isFinal?: true;
  /** It refuses or drops this event. It may accept another one. */
  isForItself?: true;
  heldback?: Heldback;
  /** The event stood there before anything was sent. */
  stoodAlready?: true;
}

/** Where an event stands. */
export interface PlacementOf<E extends Dated> {
  /** By the relay's URL as it may be shown: without a path or query, which can be a bearer secret. */
  relays: Record<string, RelayStanding>;
  /** Relays on which the event was seen, read back as a machine would read it. */
  holding: number;
  required: number;
  /** True when the quorum held it before anything was sent. */
  stoodAlready: boolean;
  /** True when refusals alone make the quorum impossible. */
  hopeless: boolean;
  /** Only relays that reconnect automatically are missing for the quorum. That takes minutes. */
  waitsForReturn?: true;
  /** The relay with a rate limit that the quorum waits for. */
  waitsFor?: HeldbackBy;
  /**
   * So many relays refuse this event, or accept it and do not show it, that it cannot reach the quorum. A
   * newly signed event at the same address may reach it.
   */
  needsAnother?: true;
  /** A newer event of the same author at the address, if any relay has one: machines will take that one. */
  newer?: E;
}

/** The event that a sighting shows, whether or not more is known. */
export function shownBy<E extends Dated>(sighting: SightingOf<E> | undefined): E | undefined {
  return sighting !== undefined && 'event' in sighting ? sighting.event : undefined;
}

/**
 * What a sighting proves about an event: it stands, or a newer one does. Undefined: it proves nothing.
 */
export function decidedBy<E extends Dated>(
  sighting: SightingOf<E> | undefined,
  event: Dated,
): 'holds' | 'newer' | undefined {
  const shown = shownBy(sighting);
  if (shown === undefined) return undefined;
  if (shown.id === event.id) return 'holds';
  return isNewer(shown, event) ? 'newer' : undefined;
}

/** Whether a quorum of relays has answered a look. */
export function haveAnswered(seen: Iterable<SightingOf<Dated>>, required: number): boolean {
  let answered = 0;
  for (const { kind } of seen) if (kind !== 'unknown') answered += 1;
  return answered >= required;
}

/** Whether too many relays refuse us finally, so that a quorum can never answer. */
export function canNeverAnswer(
  seen: Iterable<SightingOf<Dated>>,
  { relays, required }: { relays: number; required: number },
): boolean {
  let closed = 0;
  for (const sighting of seen) if (sighting.kind === 'unknown' && sighting.isFinal) closed += 1;
  return relays - closed < required;
}

/** An event that was seen is the proof. The relay's answers count only if no event was seen. */
export function verdictOn<E extends Dated>(event: Dated, evidence: Evidence<E>): RelayVerdict<E> {
  const { seen, sent, confirmed } = evidence;
  const before = shown(seen, event);
  if (before !== undefined) return before.newer ? before : { ...before, stoodAlready: true };
  const after = shown(confirmed, event);
  if (after !== undefined) return after;
  if (sent?.kind === 'refused') {
    const standing: RelayStanding = { state: 'refused', detail: sent.message };
    if (!sent.isFinal) return { standing };
    return { standing, isFinal: true, ...(sent.isForItself ? { isForItself: true } : {}) };
  }
  if (sent?.kind === 'heldback')
    return { standing: { state: 'refused', detail: sent.heldback.words }, heldback: sent.heldback };
  if (confirmed?.kind === 'unknown' && confirmed.isFinal)
    return { standing: { state: 'refused', detail: confirmed.reason }, isFinal: true };
  // The relay accepted the event and does not show it. Relays do that with deleted events (NIP-09), and with
  // events that they do not keep.
  const isNotKept = sent?.kind === 'ok' && (confirmed?.kind === 'nothing' || confirmed?.kind === 'event');
  return {
    standing: shortfall(sent, confirmed),
    ...returning(confirmed),
    ...(isNotKept ? { isForItself: true } : {}),
  };
}

/** Why it is not known that the event stands, if the relay did not refuse it. */
function shortfall(sent: SendReply | undefined, confirmed: SightingOf<Dated> | undefined): RelayStanding {
  if (sent?.kind === 'lost') return { state: 'unreachable', detail: sent.reason };
  switch (confirmed?.kind) {
    case 'event':
      return { state: 'older', ...said(sent) };
    case 'nothing':
      return { state: 'absent', ...said(sent) };
    case 'unseen':
      return { state: 'unreachable', detail: 'not seen through the gateway' };
    case 'unknown':
      return { state: 'unreachable', detail: confirmed.reason };
    case undefined:
      return { state: 'unreachable', detail: 'no answer yet' };
  }
}

function returning(
  confirmed: SightingOf<Dated> | undefined,
): Pick<RelayVerdict<Dated>, 'returnsLater' | 'heldback'> {
  if (confirmed?.kind !== 'unknown') return {};
  return {
    ...(confirmed.returnsLater ? { returnsLater: true } : {}),
    ...(confirmed.heldback === undefined ? {} : { heldback: confirmed.heldback }),
  };
}

/**
 * The relay whose turn completes the quorum, among relays with a rate limit. Undefined if there are too few.
 *
 * @param lacking how many relays are missing for the quorum
 */
export function waitedFor(heldback: readonly HeldbackBy[], lacking: number): HeldbackBy | undefined {
  if (lacking < 1) return undefined;
  const byTime = (a: HeldbackBy, b: HeldbackBy): number =>
    a.untilMs - b.untilMs || (a.relay < b.relay ? -1 : 1);
  return [...heldback].sort(byTime)[lacking - 1];
}

function shown<E extends Dated>(
  sighting: SightingOf<E> | undefined,
  event: Dated,
): RelayVerdict<E> | undefined {
  const there = shownBy(sighting);
  const decided = decidedBy(sighting, event);
  if (there === undefined || decided === undefined) return undefined;
  if (decided === 'holds') return { standing: { state: 'holds' } };
  return { standing: { state: 'newer', detail: there.id }, newer: there };
}

/** The relay's words, if it does not show the event that it accepted. */
function said(sent: SendReply | undefined): { detail?: string } {
  if (sent?.kind === 'ok') return { detail: sent.message };
  return sent?.kind === 'silent' ? { detail: withLastWords('no OK', sent.words) } : {};
}

/** The placement on all relays, by their names as they may be shown. */
export function placementOf<E extends Dated>(
  event: Dated,
  evidence: Iterable<readonly [name: string, evidence: Evidence<E>]>,
  required: number,
): PlacementOf<E> {
  const relays: Record<string, RelayStanding> = {};
  let newer: E | undefined;
  const heldback: HeldbackBy[] = [];
  let [all, holding, final, closed, unwilling, returning, stoodAlready] = [0, 0, 0, 0, 0, 0, 0];
  for (const [name, each] of evidence) {
    const verdict = verdictOn(event, each);
    relays[name] = verdict.standing;
    all += 1;
    if (verdict.newer && (newer === undefined || isNewer(verdict.newer, newer))) newer = verdict.newer;
    if (verdict.standing.state === 'holds') holding += 1;
    if (verdict.isFinal) final += 1;
    if (verdict.isFinal && !verdict.isForItself) closed += 1;
    if (verdict.isFinal || verdict.isForItself) unwilling += 1;
    if (verdict.heldback) heldback.push({ relay: name, ...verdict.heldback });
    if (verdict.returnsLater) returning += 1;
    if (verdict.stoodAlready) stoodAlready += 1;
  }
  const waitsFor = waitedFor(heldback, required - holding);
  return {
    relays,
    holding,
    required,
    stoodAlready: stoodAlready >= required,
    hopeless: all - final < required,
    ...(holding < required && holding + returning >= required ? { waitsForReturn: true } : {}),
    ...(waitsFor === undefined ? {} : { waitsFor }),
    ...(all - unwilling < required && all - closed >= required ? { needsAnother: true } : {}),
    ...(newer === undefined ? {} : { newer }),
  };
}

/** The relays that do not hold the event, each with its state and reason: a part of a sentence. */
export function thoseWithout(relays: Record<string, RelayStanding>): string {
  return Object.entries(relays)
    .filter(([, { state }]) => state !== 'holds')
    .map(([relay, { state, detail }]) => `${relay}: ${state}${detail ? ` (${detail})` : ''}`)
    .join('; ');
}
