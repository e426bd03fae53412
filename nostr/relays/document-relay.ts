import type { RelayStanding } from '../../contract/relay-standing';
import type { RelayIdentity } from './identity';
import { type Address, isAt, isAuthentic, isNewer, type SignedEvent } from '../events';

/**
 * What one relay has at an address, as a machine would see it. `unseen`: it was asked and nothing came, which proves
 * nothing (a gateway). `unknown`: it could not be asked, or did not finish.
 */
export type Sighting =
  | { kind: 'event'; event: SignedEvent }
  | { kind: 'nothing' }
  | { kind: 'unseen' }
  | { kind: 'unknown'; reason: string; /** No answer came within the time. */ isSilent?: true };

/** What an attempt at one relay came to. */
export interface Placed {
  standing: RelayStanding;
  /** The newer event that stands there instead. */
  newer?: SignedEvent;
  /** It is away, and known to come back by itself, in minutes and not in seconds. */
  returnsLater?: boolean;
  /** This relay will not take the event, however often it is sent. */
  final?: boolean;
  /** It was there before anything was sent. */
  stoodAlready?: boolean;
}

export interface Asking {
  /** What the relay had a moment ago, if it was asked. */
  seen?: Sighting | undefined;
  /** Who asks, for a relay that demands to know (NIP-42). Absent: such a relay cannot be asked. */
  identity?: RelayIdentity | undefined;
}

/** One way to bring documents to a relay and to see them there. Both reject when the relay cannot be reached. */
export interface DocumentRelay {
  look(address: Address, asking?: Pick<Asking, 'identity'>): Promise<Sighting>;
  place(event: SignedEvent, address: Address, asking?: Asking): Promise<Placed>;
}

export interface DocumentRelayOptions {
  url: string;
  /** Bound of one question to the relay. */
  replyTimeoutMs: number;
  /** The relay has said that it wants to know who asks. */
  isAuthRequired?(): boolean;
}

/** Honest relays have one event at an address. */
const MAX_VERIFIED = 5;

/** The newest event at the address among those a relay has sent. Other events and forged ones are as if not there. */
export function newestAt(address: Address, events: SignedEvent[]): Sighting {
  // Newest first, and only a few are verified: a relay may send any number of forged ones, each of which costs.
  const candidates = events.filter((event) => isAt(address, event)).sort((a, b) => (isNewer(a, b) ? -1 : 1));
  const newest = candidates.slice(0, MAX_VERIFIED).find(isAuthentic);
  if (newest === undefined && candidates.length > MAX_VERIFIED)
    return { kind: 'unknown', reason: 'forged events' };
  return newest ? { kind: 'event', event: newest } : { kind: 'nothing' };
}

/** What a sighting decides about our event: it stands there, or a newer one does. Undefined when it decides nothing. */
export function decidedBy(sighting: Sighting, event: SignedEvent): Placed | undefined {
  if (sighting.kind !== 'event') return undefined;
  if (sighting.event.id === event.id) return { standing: { state: 'holds' } };
  if (isNewer(sighting.event, event))
    return { standing: { state: 'newer', detail: sighting.event.id }, newer: sighting.event };
  return undefined;
}

/** The same, before anything was sent. */
export function decidedBefore(sighting: Sighting, event: SignedEvent): Placed | undefined {
  const decided = decidedBy(sighting, event);
  return decided?.standing.state === 'holds' ? { ...decided, stoodAlready: true } : decided;
}
