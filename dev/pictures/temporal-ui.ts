import type { Page } from 'playwright-core';

/** Tabs of a run in the Temporal UI: the last part of their URL. */
export type RunTab =
  'timeline' | 'history' | 'pending-activities' | 'user-metadata' | 'search-attributes' | 'memo' | 'queries';

export interface ShownRun {
  uiUrl: string;
  workflowId: string;
  runId: string;
}

/**
 * Opens a tab of a run and waits until the page has all of `texts`.
 *
 * @throws Error a text is missing. The message has the text of the page
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
 * Waits until the frames of the page together have all of `texts`: the UI shows Markdown in a frame of its
 * own.
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
    // The UI fetches the details of a workflow once. The key r fetches them again.
    if (Date.now() - askedAtMs > 3_000) {
      askedAtMs = Date.now();
      // A busy server refuses the page, and that error page has no key r.
      if (whole.includes('Too Many Requests')) await page.reload();
      else await page.keyboard.press('r');
    }
  }
}

/** The text of all frames, with ordinary spaces. */
async function readable(page: Page): Promise<string> {
  const texts = await Promise.all(
    // A frame may be removed while it is read.
    page.frames().map((frame) =>
      frame
        .locator('body')
        .innerText({ timeout: 2_000 })
        .catch(() => ''),
    ),
  );
  return texts.join('\n').replaceAll('\u00a0', ' ');
}
