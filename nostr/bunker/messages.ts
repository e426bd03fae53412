/** Answer of a bunker (NIP-46). */
export interface BunkerAnswer {
  id: string;
  result: string;
  error: string;
}

/** Reads a decrypted message; undefined when it is no answer. */
export function parseAnswer(text: string): BunkerAnswer | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { id, result, error } = value as Record<string, unknown>;
  if (typeof id !== 'string') return undefined;
  // NIP-44's key is the same in both directions: a relay may send our own request back in the bunker's name.
  if (result === undefined && error === undefined) return undefined;
  return {
    id,
    result: typeof result === 'string' ? result : '',
    error: typeof error === 'string' ? error : '',
  };
}

/** What bunkers commonly say, and how it is told. */
const KNOWN_REASONS: readonly (readonly [RegExp, string])[] = [
  [
    /unauthori[sz]ed|not authori[sz]ed|unknown client|not connected|no permission|permission/i,
    'it does not know or allow this client',
  ],
  [/denied|rejected|declined|refused|not allowed|forbidden|disallow|blocked/i, 'denied'],
  [/secret/i, 'the pairing secret is wrong or used up'],
  [/rate.?limit|too many|slow down/i, 'rate limited'],
  [/lock|password|passphrase|unlock/i, 'it is locked'],
  [
    /unknown method|not supported|unsupported|not implemented|invalid method/i,
    'it does not support this method',
  ],
  [/time.?out|timed out|expired/i, 'it timed out'],
  [/no (such )?(key|user)|key not found|unknown (key|user)/i, 'it has no such key'],
];

/**
 * Why a bunker refused, in words of our own. Its text is free and a stranger's: it may repeat what it was asked to encrypt,
 * now or earlier and in any disguise, or a key, and it ends up in histories and logs. So it is classified and never quoted.
 */
export function presentableError(error: string): string {
  const known = KNOWN_REASONS.find(([pattern]) => pattern.test(error));
  return known ? known[1] : 'for a reason of its own, which is not repeated here (see its own log)';
}

/** The reasons that NIP-01 and NIP-42 have words for. */
const RELAY_REASONS =
  /^(duplicate|pow|blocked|rate-limited|invalid|restricted|mute|error|auth-required|unsupported)(?=:)/;

/**
 * Why a bunker's relay refused: the word that the protocol has for it. The rest is not repeated either. Whoever runs the
 * bunker may run its relay as well, and what one of them was told the other can say.
 */
export function presentableRefusal(message: string): string {
  return RELAY_REASONS.exec(message)?.[0] ?? 'for a reason of its own';
}

/** The page's address in a spelling that steers no terminal, or undefined when it is none that a person could open. */
export function approvalPage(text: string): string | undefined {
  if (text.length > 2_000 || !URL.canParse(text)) return undefined;
  const { protocol, href } = new URL(text);
  return protocol === 'https:' || protocol === 'http:' ? href : undefined;
}
