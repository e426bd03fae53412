/**
 * The text as a URL. Undefined: it is not a URL.
 *
 * `URL.canParse` is not used: on Node 20 it answers false for letters such as "ü" once V8 has optimised it.
 */
export function parsedUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
