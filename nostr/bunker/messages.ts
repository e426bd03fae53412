import { plainText } from '../relays/connection';

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

/** Length of a run of characters that two texts do not share by chance. */
const TELLING_RUN = 12;

/**
 * A bunker's error text for people, or a note that it was withheld: a bunker may repeat in it what it was asked to
 * encrypt or the pairing secret, and neither may reach history or logs.
 */
export function presentableError(error: string, params: readonly string[]): string {
  const text = plainText(error);
  const repeated = params.some(
    (param) => sharesRun(text, param) || sharesRun(lettersAndDigits(text), lettersAndDigits(param)),
  );
  return repeated ? 'its reason is withheld: it repeats the request' : text;
}

function sharesRun(text: string, secret: string): boolean {
  if (secret === '') return false;
  if (secret.length <= TELLING_RUN) return text.includes(secret);
  for (let start = 0; start + TELLING_RUN <= text.length; start += 1) {
    if (secret.includes(text.slice(start, start + TELLING_RUN))) return true;
  }
  return false;
}

/** What is left when the quotation is escaped, pretty-printed or in other case: {\\"a\\": 1} is {"a":1}. */
function lettersAndDigits(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');
}
