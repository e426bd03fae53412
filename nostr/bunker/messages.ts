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
  const secrets = params.filter((param) => param.length > 0);
  for (const secret of secrets) {
    if (secret.length <= TELLING_RUN && text.includes(secret))
      return 'its reason is withheld: it repeats the request';
    for (let start = 0; start + TELLING_RUN <= text.length; start += 1) {
      if (secret.includes(text.slice(start, start + TELLING_RUN)))
        return 'its reason is withheld: it repeats the request';
    }
  }
  return text;
}
