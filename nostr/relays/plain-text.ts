/** Free text of a relay is data of a stranger: it is cut and stripped before anybody sees it. */
const MAX_TEXT_LENGTH = 200;
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]+/g;
/** Half of a surrogate pair (a cut emoji): Postgres refuses it in JSON, and Temporal in a message. */
const LONE_SURROGATES = /\p{Surrogate}/gu;

/** A stranger's words, fit for a log line: one line, no control characters, valid UTF-8, bounded. */
export function plainText(value: unknown): string {
  if (typeof value !== 'string') return '';
  return value.replace(CONTROL_CHARACTERS, ' ').slice(0, MAX_TEXT_LENGTH).replace(LONE_SURROGATES, '\ufffd');
}

/** More of it could not be seen: what is cut off later needs no search. */
const MAX_SEARCHED = 10 * MAX_TEXT_LENGTH;

/** The same of somebody who knows secrets, and may repeat them. */
export function plainTextWithout(secrets: readonly string[], value: unknown): string {
  if (secrets.length === 0 || typeof value !== 'string') return plainText(value);
  return plainText(
    secrets.reduce((text, secret) => text.replaceAll(secret, '…'), value.slice(0, MAX_SEARCHED)),
  );
}
