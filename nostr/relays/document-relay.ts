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
  /** Who asks, for a relay that demands to know (NIP-42). Absent: such a relay cannot be asked. */
  identity?: RelayIdentity | undefined;
}

/** An event that was sent, or may have been, and is to be read back. */
export interface SentEvent {
  event: SignedEvent;
  /** How the relay has answered so far; undefined: nothing was sent to it. */
  reply(): SendReply | undefined;
}

/**
 * Told of each of the things that were asked for, by its place among them, as soon as that is known. A later
 * word replaces an earlier one.
 */
export type Tell = (index: number, sighting: Sighting) => void;

/** What is looked at. */
export interface LookedAt extends Address {
  /** The authentic event that should stand there: where it comes, an end of the answer is not waited for. */
  event?: SignedEvent;
}

/** One way to bring documents to a relay and to see them there. */
export interface DocumentRelay {
  /** What the relay has at these addresses. Never rejects. */
  look(addresses: readonly LookedAt[], asking: Asking, tell: Tell): Promise<void>;
  /**
   * Sends an event. Resolves with the relay's answer, at the latest a moment after the EVENT; rejects when it
   * cannot be sent.
   *
   * @param onLate told the answer that came after all
   */
  send(event: SignedEvent, asking: Asking, onLate: (reply: SendReply) => void): Promise<SendReply>;
  /** Reads back what was sent, in a question that is younger than the relay's answer. Never rejects. */
  confirm(sent: readonly SentEvent[], asking: Asking, tell: Tell): Promise<void>;
  /**
   * What the relay has said last, for where no answer comes. Absent: it says nothing that may be repeated.
   */
  lastWords?(): string | undefined;
}

export interface DocumentRelayOptions {
  url: string;
  /** Bound of one question to the relay. */
  replyTimeoutMs: number;
  /** How quickly the relay takes what it is sent and asked. */
  pacer: RelayPacer;
  /** The relay has said that it wants to know who asks. */
  isAuthRequired?(): boolean;
  /** How many filters the relay takes in one REQ, where it has said so. */
  maxFilters?(): number | undefined;
}

/** What is looked for at an address. */
export interface Wanted {
  address: Address;
  /** Our own event, whose bytes are known to be authentic. */
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
 * The newest event at the address among those a relay has sent. Other events and forged ones are as if not
 * there.
 */
export function newestAt({ address, event: own }: Wanted, events: readonly SignedEvent[]): Sighting {
  // Newest first, and only a few are verified: a relay may send any number of forged ones, each of which
  // costs.
  const candidates = events.filter((event) => isAt(address, event)).sort((a, b) => (isNewer(a, b) ? -1 : 1));
  const newest = candidates
    .slice(0, MAX_VERIFIED)
    .find((event) => (own !== undefined && isSameEvent(event, own)) || isAuthentic(event));
  if (newest === undefined && candidates.length > MAX_VERIFIED)
    return { kind: 'unknown', reason: 'forged events' };
  return newest ? { kind: 'event', event: newest } : { kind: 'nothing' };
}
