/** A failure without a reason of its own, with the last words of the relay: they are the diagnosis. */
export function withLastWords(failure: string, words: string | undefined): string {
  return words === undefined || words === '' ? failure : `${failure}; the relay's last words: ${words}`;
}
