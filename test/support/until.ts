const ASK_AFTER_MS = 20;
const ASK_AGAIN_WITHIN_MS = 150;

/**
 * Waits until `holds` does; rejects after `timeoutMs`. What takes long to ask (a query of a run, a list of
 * processes) is asked less often: or those who wait would take the cores from what they wait for.
 */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  for (const deadlineMs = Date.now() + timeoutMs; ;) {
    const askedAtMs = performance.now();
    if (await holds()) return;
    if (Date.now() > deadlineMs) throw new Error(`still not so after ${timeoutMs} ms: ${holds.toString()}`);
    const waitMs = Math.max(ASK_AFTER_MS, 4 * (performance.now() - askedAtMs));
    await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, ASK_AGAIN_WITHIN_MS)));
  }
}
