import { REQUIRES_AUTH } from './asker';
import { isNewer } from '../nostr/events';
import type { Sighting } from '../nostr/relays/document-relay';
import { decidedBy } from '../rules/quorum';

/** What one relay has of a document, compared with the event that should stand. */
export interface RelayVerdict {
  /** `unknown`: it did not answer, or its answer proves nothing (a gateway that shows no event). */
  state: 'current' | 'newer' | 'older' | 'missing' | 'unknown';
  /** The event that it has, if it is another one. */
  eventId?: string;
  detail?: string;
}

export function relayVerdict(
  sighting: Sighting,
  expected: { id: string; created_at: number } | undefined,
): RelayVerdict {
  switch (sighting.kind) {
    case 'event': {
      const { id: eventId } = sighting.event;
      if (eventId === expected?.id) return { state: 'current' };
      const newer = expected === undefined || isNewer(sighting.event, expected);
      return { state: newer ? 'newer' : 'older', eventId };
    }
    case 'nothing':
      return { state: 'missing' };
    case 'unseen':
      return { state: 'unknown', detail: 'not seen through the gateway' };
    case 'unknown':
      if (expected !== undefined && decidedBy(sighting, expected) === 'holds') return { state: 'current' };
      return { state: 'unknown', detail: sighting.wantsIdentity ? REQUIRES_AUTH : sighting.reason };
  }
}

/**
 * The same for a document that was read with both filters of its machine, in separate requests: found by only
 * one of them, it counts as not found.
 */
export function relayVerdictByBoth(
  byD: Sighting,
  byP: Sighting | undefined,
  expected: { id: string; created_at: number } | undefined,
): RelayVerdict {
  const first = relayVerdict(byD, expected);
  // An empty answer of a gateway proves nothing.
  if (byP === undefined || byP.kind === 'unseen') return first;
  const second = relayVerdict(byP, expected);
  const eventId = (first.eventId ?? second.eventId ?? expected?.id) as string;
  if (isFound(first) && second.state === 'missing')
    return { state: 'missing', eventId, detail: 'found by #d, not by #p' };
  if (first.state === 'missing' && isFound(second))
    return { state: 'missing', eventId, detail: 'found by #p, not by #d' };
  if (isFound(first) && second.state === 'unknown')
    return { state: 'unknown', detail: `found by #d; by #p: ${second.detail}` };
  return first;
}

function isFound({ state }: RelayVerdict): boolean {
  return state === 'current' || state === 'newer' || state === 'older';
}

/**
 * The verdict of all relays. `newer` wins over `current`: machines take the newest event. Below the quorum it
 * is `unknown` if the relays that did not answer could complete the quorum, and bad news only if they could
 * not.
 */
export function quorumVerdict(relays: readonly RelayVerdict[], required: number): RelayVerdict['state'] {
  const count = (state: RelayVerdict['state']): number =>
    relays.filter((each) => each.state === state).length;
  const good = count('current') + count('newer');
  if (good >= required) return count('newer') > 0 ? 'newer' : 'current';
  if (good + count('unknown') >= required) return 'unknown';
  return count('older') > 0 ? 'older' : 'missing';
}
