const ASK_AFTER_MS = 20;
const ASK_AGAIN_WITHIN_MS = 150;

/**
 * Waits until `holds` returns true; rejects after `timeoutMs`. A slow question (a query of a run, a list of
 * processes) is asked less often, so that the waiting leaves the cores to the work.
 *
 * @param seen what the error tells. Default: the condition
 */
export async function until(
  holds: () => boolean | Promise<boolean>,
  timeoutMs = 30_000,
  seen: () => string = () => holds.toString(),
): Promise<void> {
  for (const deadlineMs = Date.now() + timeoutMs; ;) {
    const askedAtMs = performance.now();
    if (await holds()) return;
    if (Date.now() > deadlineMs) throw new Error(`still not so after ${timeoutMs} ms: ${seen()}`);
    const waitMs = Math.max(ASK_AFTER_MS, 4 * (performance.now() - askedAtMs));
    await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, ASK_AGAIN_WITHIN_MS)));
  }
}
