/** A failure that knows no reason, with what the relay has said last: its words are the diagnosis. */
export function withLastWords(failure: string, words: string | undefined): string {
  return words === undefined || words === '' ? failure : `${failure}; the relay's last words: ${words}`;
}
