import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium, type Page } from 'playwright-core';
import { ensureError } from '../../contract/failures';
import { BROWSER_REMEDY, browserCandidates, type FoundBrowser } from './find-browser';

/**
 * No sandbox: as root or in a container it does not work, and the browser only shows pages of our own
 * servers.
 */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

const LAUNCH_TIMEOUT_MS = 30_000;

export interface OpenBrowser {
  page: Page;
  /** Closes the browser and removes its profile. */
  close(): Promise<void>;
}

export interface BrowserOptions {
  width: number;
  height: number;
}

/**
 * Opens a page in a headless Chromium with a profile of its own.
 *
 * @throws Error no browser starts. The message names each browser that was tried, and the remedy
 */
export async function openBrowser(options: BrowserOptions): Promise<OpenBrowser> {
  const problems: string[] = [];
  for (const candidate of browserCandidates()) {
    try {
      const found = await candidate();
      try {
        return await launch(found, options);
      } catch (thrown) {
        problems.push(`${found.path}: ${firstLine(thrown)}`);
      }
    } catch (thrown) {
      problems.push(firstLine(thrown));
    }
  }
  throw new Error(`no Chromium could be started: ${BROWSER_REMEDY} (tried: ${problems.join('; ')})`);
}

async function launch(found: FoundBrowser, { width, height }: BrowserOptions): Promise<OpenBrowser> {
  const profile = await mkdtemp(path.join(tmpdir(), 'republish-chromium-'));
  const removeProfile = (): Promise<void> => rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: found.path,
      args: FLAGS,
      timeout: LAUNCH_TIMEOUT_MS,
      viewport: { width, height },
      timezoneId: 'UTC',
      locale: 'en-GB',
      env: { PATH: process.env.PATH ?? '', HOME: profile, ...found.env },
    });
    const page = context.pages()[0] ?? (await context.newPage());
    return {
      page,
      async close() {
        await context.close();
        await removeProfile();
      },
    };
  } catch (error) {
    await removeProfile();
    throw error;
  }
}

function firstLine(thrown: unknown): string {
  return ensureError(thrown).message.split('\n')[0] ?? '';
}
