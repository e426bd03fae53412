import { type PlacementOf, shownBy } from '../../rules/quorum';
import type { SignedEvent } from '../events';
import type { SendReply, Sighting } from './document-relay';

/** Where an event stands on all relays. */
export type Placement = PlacementOf<SignedEvent>;
/** What each relay has at an address, by its URL. */
export type Seen = ReadonlyMap<string, Sighting>;

/** The events that relays have shown. */
export function eventsIn(seen: Seen): SignedEvent[] {
  return [...seen.values()].flatMap((sighting) => shownBy(sighting) ?? []);
}

/** How each relay has answered an EVENT, by its URL. An answer that comes late is still noted here. */
export type Sent = ReadonlyMap<string, SendReply>;

/** What is to be read back. */
export interface SentDocument {
  event: SignedEvent;
  /** What the relays had before: one that had the event is not asked again. */
  seen?: Seen | undefined;
  sent?: Sent | undefined;
}
