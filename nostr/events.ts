import { getEventHash, verifyEvent } from 'nostr-tools/pure';

/** Event before its signature (NIP-01); `created_at` in seconds. */
export interface UnsignedEvent {
  pubkey: string;
  kind: number;
  created_at: number;
  tags: string[][];
  content: string;
}

export interface SignedEvent extends UnsignedEvent {
  id: string;
  sig: string;
}

/** The id an event will have, whoever signs it and whenever (NIP-01). */
export function eventId(event: UnsignedEvent): string {
  return getEventHash(event);
}

/** True when something from the wire has the fields of a NIP-01 event; says nothing about its signature. */
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

/** Checks id and signature, on a copy: nostr-tools keeps its verdict on the object, which may be changed afterwards. */
export function isAuthentic(event: SignedEvent): boolean {
  const { id, pubkey, sig, kind, created_at, tags, content } = event;
  try {
    return verifyEvent({ id, pubkey, sig, kind, created_at, tags, content });
  } catch {
    return false;
  }
}

/** Address of a replaceable document (NIP-01): relays keep one event for each. */
export interface Address {
  kind: number;
  pubkey: string;
  d: string;
}

export function isAt(address: Address, event: UnsignedEvent): boolean {
  return (
    event.kind === address.kind &&
    event.pubkey === address.pubkey &&
    event.tags.find(([name]) => name === 'd')?.[1] === address.d
  );
}

/** NIP-01: the highest `created_at` wins, of equal ones the lowest id. */
export function isNewer(
  event: { id: string; created_at: number },
  than: { id: string; created_at: number },
): boolean {
  return event.created_at !== than.created_at ? event.created_at > than.created_at : event.id < than.id;
}

function isHex(value: unknown, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]+$/.test(value);
}
