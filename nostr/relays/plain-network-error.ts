import { AddressRefused } from './address-rules';
import { HandshakeRefused } from './handshake';

/** Words for a failed connection, by the error's code or text. The first match counts. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^ECONNREFUSED$/, 'refused'],
  [/^(ENOTFOUND|ENODATA|EAI_[A-Z]+)$/, 'name not found'],
  // ws says this when our own timeout ended the connection attempt.
  [/^ETIMEDOUT$|timed out|closed before/i, 'timed out'],
  [/^(ERR_)?(TLS|SSL|CERT|OSSL)_|CERT|SIGNATURE|HOSTNAME_MISMATCH|^EPROTO$|\bTLS\b|\bSSL\b/, 'TLS failed'],
  [/^HPE_|^ECONNRESET$|^EPIPE$|Invalid \S+ header|Server sent|hang up/, 'no websocket there'],
];

/** Statuses that relays refuse with. A status of any other server is not repeated. */
const REFUSALS = [401, 402, 403, 429, 503];

/**
 * Why a stranger's relay cannot be reached, in one of a few phrases. The network's own text would tell the
 * stranger about this network: addresses, ports, statuses and certificates.
 */
export function plainNetworkError(error: unknown): string {
  const causes = [...chainOf(error)];
  const refused = causes.find((cause) => cause instanceof AddressRefused);
  if (refused !== undefined) return refused.message;
  if (error instanceof HandshakeRefused)
    return REFUSALS.includes(error.status) ? `refused with HTTP ${error.status}` : 'no websocket there';
  for (const [pattern, words] of WORDS) {
    if (causes.some((cause) => textsOf(cause).some((text) => pattern.test(text)))) return words;
  }
  return 'not reachable';
}

/**
 * The error and the errors inside it: Node puts the failures of several addresses into one error without a
 * text.
 */
function* chainOf(error: unknown, depth = 0): Generator<unknown> {
  if (typeof error !== 'object' || error === null || depth > 3) return;
  yield error;
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  yield* chainOf(cause, depth + 1);
  for (const inner of Array.isArray(errors) ? (errors as unknown[]) : []) yield* chainOf(inner, depth + 1);
}

/** By shape: in jest, Node's errors are no instances of Error. */
function textsOf(error: unknown): string[] {
  const { code, message } = error as { code?: unknown; message?: unknown };
  return [code, message].filter((text) => typeof text === 'string');
}
