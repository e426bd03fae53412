import { createHash } from 'node:crypto';
import { serializeEvent } from 'nostr-tools/pure';

/** An event before its signature (NIP-01). `created_at` is in seconds. */
export interface UnsignedEvent {
  pubkey: string;
  kind: number;
  created_at: number;
  tags: string[][];
  content: string;
}

/** The id of an event (NIP-01). It does not depend on who signs the event, nor on when. */
export function eventId(event: UnsignedEvent): string {
  return createHash('sha256').update(serializeEvent(event), 'utf8').digest('hex');
}
