/**
 * What to do about an `OK false`, by the machine-readable prefix of its message (NIP-01, NIP-42).
 *
 * - `retry`: a later attempt may be taken.
 * - `final`: this relay will not take this event, however often it is sent.
 * - `authenticate`: it may be taken once the relay knows who sends it (NIP-42).
 * - `look`: the relay says that it has this event or a newer one; only reading back tells which.
 */
export type RefusalMeaning = 'retry' | 'final' | 'authenticate' | 'look';

const MEANINGS: Record<string, RefusalMeaning> = {
  duplicate: 'look',
  replaced: 'look',
  'rate-limited': 'retry',
  error: 'retry',
  pow: 'final',
  blocked: 'final',
  invalid: 'final',
  restricted: 'final',
  mute: 'final',
  // NIP-09: its author has asked for it to be deleted.
  deleted: 'final',
  'auth-required': 'authenticate',
};

/** LNbits' relay asks for it in words of its own. */
const DEMANDS_LOGIN = /requires? authentication/i;

/**
 * Unknown and missing prefixes are retried: the attempts are bounded, and a wrong "final" would leave a
 * machine dark.
 */
export function meaningOfRefusal(message: string): RefusalMeaning {
  const prefix = /^([a-z-]+):/.exec(message)?.[1] ?? '';
  if (Object.hasOwn(MEANINGS, prefix)) return MEANINGS[prefix] as RefusalMeaning;
  return DEMANDS_LOGIN.test(message) ? 'authenticate' : 'retry';
}
