import { createHash } from 'node:crypto';
import { serializeEvent } from 'nostr-tools/pure';

/** Event before its signature (NIP-01); `created_at` in seconds. */
export interface UnsignedEvent {
  pubkey: string;
  kind: number;
  created_at: number;
  tags: string[][];
  content: string;
}

/** The id an event will have, whoever signs it and whenever (NIP-01). */
export function eventId(event: UnsignedEvent): string {
  return createHash('sha256').update(serializeEvent(event), 'utf8').digest('hex');
}
