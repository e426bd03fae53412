import { isNewer } from '../nostr/events';
import type { Sighting } from '../nostr/relays/publisher';
import { decidedBy } from '../rules/quorum';

/** What one relay has of a document, held against the event that should stand. */
export interface RelayVerdict {
  /** `unknown`: it did not answer, or answered what proves nothing (a gateway that shows no event). */
  state: 'current' | 'newer' | 'older' | 'missing' | 'unknown';
  /** The event that it has, where that is another one. */
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
      return { state: 'unknown', detail: sighting.reason };
  }
}

/**
 * What the relays say together. `newer` wins over `current`: machines take the newest they are shown. Below the quorum it is
 * `unknown` where the relays that did not answer could make it up, and bad news only where they could not.
 */
export function quorumVerdict(relays: readonly RelayVerdict[], required: number): RelayVerdict['state'] {
  const count = (state: RelayVerdict['state']): number =>
    relays.filter((each) => each.state === state).length;
  const good = count('current') + count('newer');
  if (good >= required) return count('newer') > 0 ? 'newer' : 'current';
  if (good + count('unknown') >= required) return 'unknown';
  return count('older') > 0 ? 'older' : 'missing';
}
