import type { SendReply, SightingOf } from '../../rules/quorum';
import {
  type Address,
  addressOf,
  isAt,
  isAuthentic,
  isNewer,
  isSameEvent,
  type SignedEvent,
} from '../events';
import type { RelayIdentity } from './identity';
import type { RelayPacer } from './relay-pacer';

export type { SendReply };
export type Sighting = SightingOf<SignedEvent>;

export interface Asking {
  /** Who asks, for a relay that demands a login (NIP-42). Absent: such a relay does not answer. */
  identity?: RelayIdentity | undefined;
}

/** An event that may have been sent, and is to be read back. */
export interface SentEvent {
  event: SignedEvent;
  /** The relay's reply so far; undefined: nothing was sent to it. */
  reply(): SendReply | undefined;
}

/**
 * Called for each address or event, by its index, as soon as its sighting is known. A later call replaces an
 * earlier one.
 */
export type Tell = (index: number, sighting: Sighting) => void;

/** An address to look at. */
export interface LookedAt extends Address {
  /** The authentic event that should stand there. When it comes, the end of the answer is not waited for. */
  event?: SignedEvent;
}

/** A way to send documents to a relay and to read them back. */
export interface DocumentRelay {
  /** Asks what the relay has at these addresses. Never rejects. */
  look(addresses: readonly LookedAt[], asking: Asking, tell: Tell): Promise<void>;
  /**
   * Sends an event. Resolves with the relay's reply, or a moment after the EVENT. Rejects when it cannot be
   * sent.
   *
   * @param onLate called with a reply that comes later
   */
  send(event: SignedEvent, asking: Asking, onLate: (reply: SendReply) => void): Promise<SendReply>;
  /** Reads back what was sent, with a REQ that is younger than the relay's reply. Never rejects. */
  confirm(sent: readonly SentEvent[], asking: Asking, tell: Tell): Promise<void>;
  /** The relay's last words, for messages about a missing answer. Absent: they must not be repeated. */
  lastWords?(): string | undefined;
}

export interface DocumentRelayOptions {
  url: string;
  /** Most time for one question. */
  replyTimeoutMs: number;
  /** The pace at which the relay takes events and questions. */
  pacer: RelayPacer;
  /** The relay says that it demands a login (NIP-11). */
  isAuthRequired?(): boolean;
  /** How many filters the relay takes in one REQ, where NIP-11 says so. */
  maxFilters?(): number | undefined;
}

/** An address, and the event that should stand there. */
export interface Wanted {
  address: Address;
  /** Our own event. Its bytes are known to be authentic. */
  event?: SignedEvent;
}

export function wantedOf(sent: readonly SentEvent[]): (Wanted & SentEvent)[] {
  return sent.map((each) => ({ ...each, address: addressOf(each.event) }));
}

export function wantedAt(addresses: readonly LookedAt[]): (Wanted & { index: number })[] {
  return addresses.map(({ event, ...address }, index) => ({
    address,
    index,
    ...(event === undefined ? {} : { event }),
  }));
}

/** Honest relays have one event at an address. */
const MAX_VERIFIED = 5;

/**
 * The newest authentic event at the address, of those that a relay sent. Other and forged events do not
 * count.
 */
export function newestAt({ address, event: own }: Wanted, events: readonly SignedEvent[]): Sighting {
  // Newest first, and only a few are verified: each verification costs, and a relay may send any number of
  // forged events.
  const candidates = events.filter((event) => isAt(address, event)).sort((a, b) => (isNewer(a, b) ? -1 : 1));
  const newest = candidates
    .slice(0, MAX_VERIFIED)
    .find((event) => (own !== undefined && isSameEvent(event, own)) || isAuthentic(event));
  if (newest === undefined && candidates.length > MAX_VERIFIED)
    return { kind: 'unknown', reason: 'forged events' };
  return newest ? { kind: 'event', event: newest } : { kind: 'nothing' };
}
