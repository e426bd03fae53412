import type { IncomingMessage } from 'node:http';

/** The relay answered the websocket handshake with another HTTP status. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused';

  constructor(
    readonly status: number,
    /** How long it asks not to be called (`Retry-After`). */
    readonly retryAfterMs?: number,
  ) {
    super(`the relay answers HTTP ${status} in place of a websocket`);
  }
}

/** Reads the HTTP answer that came in place of a websocket. */
export function handshakeRefused({ statusCode = 0, headers }: IncomingMessage): HandshakeRefused {
  const retryAfterS = Number(headers['retry-after']);
  return new HandshakeRefused(statusCode, retryAfterS > 0 ? retryAfterS * 1_000 : undefined);
}
