/** Waits until `holds` does; rejects after `timeoutMs`. */
export async function until(holds: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  for (const deadlineMs = Date.now() + timeoutMs; !(await holds());) {
    if (Date.now() > deadlineMs) throw new Error(`still not so after ${timeoutMs} ms: ${holds.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
