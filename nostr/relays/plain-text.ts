/** A relay's text is a stranger's data. It is cut and cleaned before anybody sees it. */
const MAX_TEXT_LENGTH = 200;
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]+/g;
/** Half of a surrogate pair (a cut emoji): Postgres refuses it in JSON, and Temporal in a message. */
const LONE_SURROGATES = /\p{Surrogate}/gu;

/**
 * A stranger's words, fit for a log: one line, no control characters, valid UTF-8, at most 200 characters.
 */
export function plainText(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value.replace(CONTROL_CHARACTERS, ' ').slice(0, MAX_TEXT_LENGTH).replace(LONE_SURROGATES, '\ufffd');
}

/** The rest is cut off anyway, so it is not searched. */
const MAX_SEARCHED = 10 * MAX_TEXT_LENGTH;

/** `plainText` for the words of a server that knows secrets and may repeat them. */
export function plainTextWithout(secrets: readonly string[], value: unknown): string {
  if (secrets.length === 0 || typeof value !== 'string') return plainText(value);
  return plainText(
    secrets.reduce((text, secret) => text.replaceAll(secret, '…'), value.slice(0, MAX_SEARCHED)),
  );
}
