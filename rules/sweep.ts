import { type Dated, isNewer, newestOf } from './newest';
import { decidedBy, type SendReply, shownBy, type SightingOf } from './quorum';

/** What the sweep knows of one relay and one document. */
export interface SweptRelay<E extends Dated> {
  /** What the relay has at the address now. */
  shown: SightingOf<E>;
  /** Its reply to the event, in this sweep and since its last silence. Undefined: it was not sent. */
  sent?: SendReply | undefined;
  /** The relay did not answer a question of this sweep. It may have begun anew, without its events. */
  wasSilent?: boolean;
}

export interface SweptVerdict {
  /**
   * `newer`: a newer event of the author stands at the address. `unknown`: too few relays show it, but relays
   * that did not answer, or that may take it later, could complete the quorum. `lost`: they could not.
   */
  kind: 'stands' | 'newer' | 'unknown' | 'lost';
  /** Relays that have it. */
  holding: number;
  /** The newer event. */
  by: string;
}

/**
 * The verdict of the sweep on one document, from the answers of the relays.
 *
 * @param size.mayBeSent false: it is not sent any more, so that no relay can take it
 */
export function sweptVerdict(
  event: Dated,
  relays: readonly SweptRelay<Dated>[],
  { required, mayBeSent }: { required: number; mayBeSent: boolean },
): SweptVerdict {
  const events = relays.flatMap(({ shown }) => shownBy(shown) ?? []);
  const holding = events.filter(({ id }) => id === event.id).length;
  const newest = newestOf(events);
  const open = relays.filter(
    (relay) =>
      decidedBy(relay.shown, event) === undefined &&
      (relay.shown.kind === 'unseen' || relay.shown.kind === 'unknown' || (mayBeSent && mayTakeLater(relay))),
  ).length;
  const verdict = (kind: SweptVerdict['kind']): SweptVerdict => ({ kind, holding, by: newest?.id ?? '' });
  if (newest !== undefined && isNewer(newest, event)) return verdict('newer');
  if (holding >= required) return verdict('stands');
  return verdict(holding + open >= required ? 'unknown' : 'lost');
}

/**
 * Whether a relay gets the event now: it answers and does not have it, and it has neither taken the event nor
 * refused it finally. A relay that does not answer gets nothing: it would only be waited for.
 */
export function isLacking(event: Dated, { shown, sent }: SweptRelay<Dated>): boolean {
  if (shown.kind === 'unknown' || decidedBy(shown, event) !== undefined) return false;
  return sent === undefined || isPassing(sent);
}

/** Whether a relay may store the event although it does not show it yet. */
export function mayStore({ kind }: SendReply): boolean {
  return kind === 'ok' || kind === 'forwarded' || kind === 'silent' || kind === 'lost';
}

/**
 * Not, if the relay took the event and does not show it: it has dropped the event. The same holds if it was
 * not sent in this sweep, and the relay was never silent.
 */
function mayTakeLater({ sent, wasSilent = false }: SweptRelay<Dated>): boolean {
  return sent === undefined ? wasSilent : isPassing(sent);
}

/** The relay has not taken the event, and may take it when it is sent again. */
function isPassing(reply: SendReply): boolean {
  switch (reply.kind) {
    case 'ok':
    case 'forwarded':
      return false;
    case 'refused':
      return !reply.isFinal;
    case 'heldback':
    case 'silent':
    case 'lost':
      return true;
  }
}
