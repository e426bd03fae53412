import { eventId, type UnsignedEvent } from './event-id';
import { isNewer } from '../rules/newest';
import { isSigned } from './schnorr';

export { eventId, isNewer, type UnsignedEvent };

export interface SignedEvent extends UnsignedEvent {
  id: string;
  sig: string;
}

/** Whether a value from the wire has the fields of a NIP-01 event. It says nothing about the signature. */
export function hasEventShape(value: unknown): value is SignedEvent {
  if (typeof value !== 'object' || value === null) return false;
  const event = value as Record<string, unknown>;
  return (
    isHex(event.id, 64) &&
    isHex(event.pubkey, 64) &&
    isHex(event.sig, 128) &&
    Number.isSafeInteger(event.kind) &&
    Number.isSafeInteger(event.created_at) &&
    typeof event.content === 'string' &&
    Array.isArray(event.tags) &&
    event.tags.every((tag) => Array.isArray(tag) && tag.every((entry) => typeof entry === 'string'))
  );
}

/** A signature is checked when the signer gives it, before the event is sent, and when it is read back. */
const MAX_REMEMBERED = 2_000;
const authentic = new Set<string>();

/**
 * Checks id and signature. The id is always computed from the fields. A signature that was found valid for an
 * id is remembered for a while: checking it costs a hundred times as much.
 */
export function isAuthentic(event: SignedEvent): boolean {
  try {
    if (!hasEventShape(event) || event.id !== eventId(event)) return false;
  } catch {
    return false;
  }
  if (authentic.has(keyOf(event))) return true;
  if (!isSigned(event)) return false;
  trust(event);
  return true;
}

/**
 * Notes that an event is authentic, so that its signature is not checked again. Only for events whose
 * signature was checked before, such as those of the ledger.
 */
export function trust(event: SignedEvent): void {
  if (authentic.size >= MAX_REMEMBERED) authentic.delete(authentic.values().next().value ?? '');
  authentic.add(keyOf(event));
}

function keyOf({ id, pubkey, sig }: SignedEvent): string {
  return `${id} ${pubkey} ${sig}`;
}

/** Address of a replaceable document (NIP-01): a relay keeps one event for each. */
export interface Address {
  kind: number;
  pubkey: string;
  d: string;
  /** Hex. Ask by the tag `p` with this machine's key, and not by `d`: machines ask in both ways. */
  byP?: string;
}

export function isAt(address: Address, event: UnsignedEvent): boolean {
  return (
    event.kind === address.kind &&
    event.pubkey === address.pubkey &&
    event.tags.find(([name]) => name === 'd')?.[1] === address.d
  );
}

/** Address of a parameterised replaceable event (NIP-01). */
export function addressOf({ kind, pubkey, tags }: UnsignedEvent): Address {
  return { kind, pubkey, d: tags.find(([name]) => name === 'd')?.[1] ?? '' };
}

/** Whether both have the same bytes, so that a check of one holds for the other. */
export function isSameEvent(one: SignedEvent, other: SignedEvent): boolean {
  return (
    one.id === other.id &&
    one.sig === other.sig &&
    one.content === other.content &&
    one.created_at === other.created_at &&
    one.kind === other.kind &&
    one.pubkey === other.pubkey &&
    one.tags.length === other.tags.length &&
    JSON.stringify(one.tags) === JSON.stringify(other.tags)
  );
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value);
}
