/**
 * What to do about an `OK false`, by the machine-readable prefix of its message (NIP-01, NIP-42).
 *
 * - `retry`: a later attempt may be taken.
 * - `slow down`: the same, once there is room.
 * - `another`: this relay will not take this event, but may take another one at the same address.
 * - `final`: this relay will not take this event, nor another one of the same author.
 * - `authenticate`: it may be taken once the relay knows who sends it (NIP-42).
 * - `look`: the relay says that it has this event or a newer one; only reading back tells which.
 */
export type RefusalMeaning = 'retry' | 'slow down' | 'another' | 'final' | 'authenticate' | 'look';

const MEANINGS: Record<string, RefusalMeaning> = {
  duplicate: 'look',
  replaced: 'look',
  'rate-limited': 'slow down',
  error: 'retry',
  pow: 'final',
  blocked: 'final',
  // Usually too old: a new seal differs only in its date.
  invalid: 'another',
  restricted: 'final',
  mute: 'final',
  // NIP-09: the author asked to delete it (strfry).
  deleted: 'another',
  'auth-required': 'authenticate',
};

/** The prefix of a relay's message (NIP-01, NIP-42); undefined: it has none that we know. */
export function protocolWordIn(message: string): string | undefined {
  const word = prefixOf(message);
  if (Object.hasOwn(MEANINGS, word) || word === 'unsupported') return word;
  return DEMANDS_LOGIN.test(message) ? 'auth-required' : undefined;
}

function prefixOf(message: string): string {
  return /^([a-z-]+):/.exec(message)?.[1] ?? '';
}

/** khatru says `blocked: this event has been deleted`. In NIP-01 `blocked` is about a person. */
const OF_THE_EVENT = /\bdelet|\bremoved\b|\btoo old\b/i;
/** LNbits' relay demands a login in its own words. */
const DEMANDS_LOGIN = /requires? authentication/i;

/**
 * Unknown and missing prefixes mean `retry`: attempts are bounded, and a wrong `final` would leave a machine
 * without its document.
 */
export function meaningOfRefusal(message: string): RefusalMeaning {
  const prefix = prefixOf(message);
  if (prefix === 'blocked' && OF_THE_EVENT.test(message)) return 'another';
  const known = Object.hasOwn(MEANINGS, prefix) ? (MEANINGS[prefix] as RefusalMeaning) : undefined;
  if (known !== undefined && known !== 'retry') return known;
  if (known === undefined && DEMANDS_LOGIN.test(message)) return 'authenticate';
  return saysTooMuch(message) ? 'slow down' : 'retry';
}

/**
 * Words for a rate limit without a prefix, or in a NOTICE: nostream `rate limited`, LNbits `Exceeded max
 * events per hour limit`.
 */
const TOO_MUCH =
  /rate.?limit|slow down|too (fast|quick|much)\b|too many (concurrent )?(events|req|messages|notes|subscriptions)|exceeded .*\b(limit|rate)|throttl/i;

/**
 * The relay says that it gets too many events or questions. It does not mean that one question is too large.
 */
export function saysTooMuch(words: string): boolean {
  return TOO_MUCH.test(words);
}
