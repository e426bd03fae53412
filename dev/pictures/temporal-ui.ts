import type { Page } from 'playwright-core';

/** Tabs of a run in the Temporal UI, by the last part of their address. */
export type RunTab =
  'timeline' | 'history' | 'pending-activities' | 'user-metadata' | 'search-attributes' | 'memo' | 'queries';

export interface ShownRun {
  uiUrl: string;
  workflowId: string;
  runId: string;
}

/**
 * Opens a tab of a run and waits until all of `texts` can be read there. @throws Error with what could be
 * read instead
 */
export async function openRun(
  page: Page,
  { uiUrl, workflowId, runId }: ShownRun,
  tab: RunTab,
  texts: (string | RegExp)[],
  timeoutMs = 30_000,
): Promise<string> {
  await page.goto(`${uiUrl}/namespaces/default/workflows/${encodeURIComponent(workflowId)}/${runId}/${tab}`);
  return untilReadable(page, texts, timeoutMs);
}

/**
 * Waits until all of `texts` can be read on the page, in whichever of its frames: the UI shows Markdown in
 * one of its own.
 */
async function untilReadable(page: Page, texts: (string | RegExp)[], timeoutMs = 30_000): Promise<string> {
  const isIn = (whole: string, text: string | RegExp): boolean =>
    typeof text === 'string' ? whole.includes(text) : text.test(whole);
  let askedAtMs = Date.now();
  for (const deadlineMs = askedAtMs + timeoutMs; ;) {
    const whole = await readable(page);
    const missing = texts.filter((text) => !isIn(whole, text));
    if (missing.length === 0) return whole;
    if (Date.now() > deadlineMs)
      throw new Error(
        `${missing.join(', ')} cannot be read after ${timeoutMs} ms at ${page.url()}:\n${whole}`,
      );
    await page.waitForTimeout(500);
    // What the workflow says of itself is fetched once, and again when a person presses this.
    if (Date.now() - askedAtMs > 3_000) {
      askedAtMs = Date.now();
      // A busy server refuses the page as a whole, and that one does not ask again.
      if (whole.includes('Too Many Requests')) await page.reload();
      else await page.keyboard.press('r');
    }
  }
}

/** Spaces as a reader sees them, without those that only keep the columns apart. */
async function readable(page: Page): Promise<string> {
  const texts = await Promise.all(
    // A frame may go away while it is read.
    page.frames().map((frame) =>
      frame
        .locator('body')
        .innerText({ timeout: 2_000 })
        .catch(() => ''),
    ),
  );
  return texts.join('\n').replaceAll('\u00a0', ' ');
}
