/**
 * The text as a URL. Undefined: it is not a URL.
 *
 * `URL.canParse` is not used. On Node 20, when V8 has optimised it, it answers false for valid URLs with
 * letters such as "ü".
 */
export function parsedUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
