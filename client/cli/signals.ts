const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Calls `listener` at each Ctrl-C, and at each SIGTERM of a supervisor: they no longer end the process. Call
 * it before the words that offer Ctrl-C: a person may press it at once.
 *
 * @returns ends that
 */
export function onCtrlC(listener: () => void): () => void {
  for (const signal of SIGNALS) process.on(signal, listener);
  return () => SIGNALS.forEach((signal) => process.off(signal, listener));
}
