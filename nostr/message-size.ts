import type { RelayLimits } from './relays/relay-information';

/** What relays limit of an event (NIP-11). */
export interface MessageSize {
  /** Characters of its content. */
  contentChars: number;
  /** Bytes of `["EVENT", {...}]`. */
  messageBytes: number;
}

const HEX_32 = '0'.repeat(64);
const HEX_64 = '0'.repeat(128);
/** All dates of these centuries have as many digits. */
const DATE_S = 1_800_000_000;

/** A signed event of the size that one has whose content is appended to it. */
export function emptyEvent(kind: number, tags: string[][]): Record<string, unknown> {
  return { id: HEX_32, pubkey: HEX_32, created_at: DATE_S, kind, tags, content: '', sig: HEX_64 };
}

/**
 * Of an event whose content is base64, of which nothing is escaped, so that its length is all that counts.
 */
export function messageSize(kind: number, tags: string[][], contentChars: number): MessageSize {
  return { contentChars, messageBytes: jsonBytes(['EVENT', emptyEvent(kind, tags)]) + contentChars };
}

/** The limit of a relay that a message is beyond, as a part of a sentence, and what it has. */
export interface Excess {
  limit: 'content' | 'message';
  /** `takes messages of 1000 bytes`. */
  takes: string;
  size: number;
}

/** Undefined where the relay takes the message, as far as its limits (NIP-11) say. */
export function excessOf(
  { contentChars, messageBytes }: MessageSize,
  { maxContentChars, maxMessageBytes }: Pick<RelayLimits, 'maxContentChars' | 'maxMessageBytes'>,
): Excess | undefined {
  if (maxContentChars !== undefined && contentChars > maxContentChars)
    return { limit: 'content', takes: `takes ${maxContentChars} characters of content`, size: contentChars };
  if (maxMessageBytes !== undefined && messageBytes > maxMessageBytes)
    return { limit: 'message', takes: `takes messages of ${maxMessageBytes} bytes`, size: messageBytes };
  return undefined;
}

export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value), 'utf8');
}
