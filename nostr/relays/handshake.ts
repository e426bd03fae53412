import type { IncomingMessage } from 'node:http';

/** A relay that says no before it is one. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused';

  constructor(
    readonly status: number,
    /** How long it wants to be left alone (`Retry-After`). */
    readonly retryAfterMs?: number,
  ) {
    super(`the relay answers HTTP ${status} in place of a websocket`);
  }
}

/** What the HTTP answer means that came in place of a websocket. */
export function handshakeRefused({ statusCode = 0, headers }: IncomingMessage): HandshakeRefused {
  const retryAfterS = Number(headers['retry-after']);
  return new HandshakeRefused(statusCode, retryAfterS > 0 ? retryAfterS * 1_000 : undefined);
}
