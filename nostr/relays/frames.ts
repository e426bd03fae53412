import { hasEventShape, type SignedEvent } from '../events';

/** A filter of NIP-01, as far as it is used here. */
export interface Filter {
  ids?: string[];
  authors?: string[];
  kinds?: number[];
  since?: number;
  until?: number;
  limit?: number;
  '#d'?: string[];
  '#p'?: string[];
}

/** A relay's reply to EVENT. `silent`: no OK came in time, so the event may be stored or not. */
export type PublishReply =
  | { kind: 'ok'; accepted: boolean; message: string }
  /** `words`: the relay's last words, about anything. */
  | { kind: 'silent'; words?: string }
  | { kind: 'lost'; reason: string };

/** A message from a relay (NIP-01), as far as it is used here. Words are as the relay sent them. */
export type Frame =
  | { type: 'EVENT'; subscription: string; event: SignedEvent }
  | { type: 'EOSE'; subscription: string }
  | { type: 'CLOSED'; subscription: string; reason: unknown }
  | { type: 'OK'; eventId: string; accepted: boolean; message: unknown }
  | { type: 'AUTH'; challenge: string }
  | { type: 'NOTICE'; text: string }
  /** A type that this program does not know. It is ignored. */
  | { type: 'other' };

/** Reads a message of NIP-01; undefined where it is none. */
export function parseFrame(text: string): Frame | undefined {
  let frame: unknown;
  try {
    frame = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(frame)) return undefined;
  const [type, first, second, third] = frame as unknown[];
  // Never String(): it throws for {"toString":1}, and an exception in a socket's listener ends the process.
  if (typeof first !== 'string') return undefined;
  switch (type) {
    case 'EVENT':
      return hasEventShape(second) ? { type, subscription: first, event: second } : undefined;
    case 'EOSE':
      return { type, subscription: first };
    case 'CLOSED':
      return { type, subscription: first, reason: second };
    case 'OK':
      return { type, eventId: first, accepted: second === true, message: third };
    case 'AUTH':
      return { type, challenge: first };
    case 'NOTICE':
      return { type, text: first };
    default:
      return { type: 'other' };
  }
}
