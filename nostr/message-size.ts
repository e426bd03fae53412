import type { RelayLimits } from './relays/relay-information';

/** The size of an event, by what relays limit (NIP-11). */
export interface MessageSize {
  /** Characters of its content. */
  contentChars: number;
  /** Bytes of `["EVENT", {...}]`. */
  messageBytes: number;
}

const HEX_32 = '0'.repeat(64);
const HEX_64 = '0'.repeat(128);
/** All dates of these centuries have the same number of digits. */
const DATE_S = 1_800_000_000;

/** An event with the size of a signed one, but for the content. */
export function emptyEvent(kind: number, tags: string[][]): Record<string, unknown> {
  return { id: HEX_32, pubkey: HEX_32, created_at: DATE_S, kind, tags, content: '', sig: HEX_64 };
}

/** For an event with base64 content: nothing in it is escaped, so only its length counts. */
export function messageSize(kind: number, tags: string[][], contentChars: number): MessageSize {
  return { contentChars, messageBytes: jsonBytes(['EVENT', emptyEvent(kind, tags)]) + contentChars };
}

/** A limit that a message exceeds: as a part of a sentence, and the message's own size. */
export interface Excess {
  limit: 'content' | 'message';
  /** `takes messages of 1000 bytes`. */
  takes: string;
  size: number;
}

/** Undefined where the relay's limits (NIP-11) allow the message. */
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
