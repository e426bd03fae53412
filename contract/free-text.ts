/** Whether Postgres and Temporal take a text: they take no NUL, and half of a surrogate pair is no UTF-8. */
export function canBeStored(text: string): boolean {
  return !text.includes('\0') && !/\p{Surrogate}/u.test(text);
}

/** The text as both take it; a character that they do not take leaves a mark. */
export function storable(text: string): string {
  return text.replaceAll('\0', '\ufffd').replace(/\p{Surrogate}/gu, '\ufffd');
}
