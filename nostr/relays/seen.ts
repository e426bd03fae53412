import { type PlacementOf, shownBy } from '../../rules/quorum';
import type { SignedEvent } from '../events';
import type { SendReply, Sighting } from './document-relay';

/** Where an event stands on all relays. */
export type Placement = PlacementOf<SignedEvent>;
/** What each relay has at an address, by URL. */
export type Seen = ReadonlyMap<string, Sighting>;

/** The events that relays showed. */
export function eventsIn(seen: Seen): SignedEvent[] {
  return [...seen.values()].flatMap((sighting) => shownBy(sighting) ?? []);
}

/** The reply of each relay to an EVENT, by URL. Late replies are added. */
export type Sent = ReadonlyMap<string, SendReply>;

/** A document to read back. */
export interface SentDocument {
  event: SignedEvent;
  /** What the relays had before. One that had the event is not asked again. */
  seen?: Seen | undefined;
  sent?: Sent | undefined;
}
