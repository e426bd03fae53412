/**
 * The URL that a text is. Undefined: it is none. Node 20's `URL.canParse` answers false for texts with letters
 * such as "ü" as soon as V8 has optimised it, so nobody uses it.
 */
export function parsedUrl(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}
