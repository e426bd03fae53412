import { mkdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Page } from 'playwright-core';
import { findRepublish, type RepublishRun, startRepublish } from '../../client';
import { connect } from '../../client/connect';
import { loadTemporalConfiguration } from '../../configuration/temporal';
import { DEFAULT_TASK_QUEUE } from '../../contract/names';
import { type DevStack, startStack } from '../stack';
import { openBrowser } from './browser';
import {
  addFailingOperator,
  addSilentOperator,
  addSlowOperator,
  addUnapprovedOperator,
  startPicturedWorker,
} from './scenes';
import { openRun, type RunTab } from './temporal-ui';
import { type Clip, recordTerminal, showTerminal, type TerminalView, writeReport } from './terminal';

/** Each reader of a page loads its pictures. */
const MAX_BYTES = 250_000;
/** Width of the Temporal UI's navigation, which is not in the pictures. */
const NAVIGATION_WIDTH = 257;

/** Takes the pictures of the documents from real runs, into `directory`. */
export async function takePictures(directory: string, say: (text: string) => void): Promise<void> {
  await mkdir(directory, { recursive: true });
  const stack = await startStack({ onStep: say });
  const browser = await openBrowser({ width: 1280, height: 1250 }).catch(async (error: unknown) => {
    await stack.stop();
    throw error;
  });
  const { client, close } = await connect({ temporal: loadTemporalConfiguration(stack.env) });
  const camera = new Camera(stack, browser.page, directory, say);
  const start = (id: string, reason: string): Promise<RepublishRun> =>
    startRepublish(client, id, { reason, taskQueue: DEFAULT_TASK_QUEUE });
  try {
    await startPicturedWorker(stack);
    const reason = 'the account moved to a bunker';

    const slow = await addSlowOperator(stack);
    await camera.terminal('terminal-doctor', { args: ['doctor'] });
    const running = await start(slow.id, reason);
    await camera.terminal('terminal-watch', {
      args: ['watch', slow.id],
      until: /[1-9]\d* of \d+/,
      thenMs: 4_000,
    });
    await camera.ui('ui-running', running, 'user-metadata', ['publishing']);
    await camera.ui('ui-running-timeline', running, 'timeline', ['bitspire-fees, '], 1000);

    const failing = await addFailingOperator(stack);
    await camera.terminal('terminal-plan', { args: ['plan', failing.id] });
    await camera.terminal('terminal-start', { args: ['start', failing.id, '--reason', reason] });
    const failed = await findRepublish(client, failing.id);
    await camera.ui('ui-failed', failed, 'user-metadata', ['done: ', 'Remedy for StateInvalid'], 1240);
    await camera.terminal('terminal-audit', { args: ['audit', failing.id], columns: 126 });
    await camera.report('report', failing.id);

    const unapproved = await addUnapprovedOperator(stack);
    const waiting = await start(unapproved.id, reason);
    await camera.ui('ui-approval', waiting, 'user-metadata', ['The signer waits for a person']);
    await camera.terminal('terminal-status', { args: ['status', unapproved.id] });

    const silent = await addSilentOperator(stack);
    const retrying = await start(silent.id, reason);
    await camera.ui('ui-retrying', retrying, 'pending-activities', ['SignerTimeout']);
  } finally {
    await close();
    await browser.close();
    await stack.stop();
  }
}

class Camera {
  #commands: string | undefined;

  constructor(
    private readonly stack: DevStack,
    private readonly page: Page,
    private readonly directory: string,
    private readonly say: (text: string) => void,
  ) {}

  /** A command in a terminal. A command that `republish` does not have is left out. */
  async terminal(name: string, view: TerminalView): Promise<void> {
    this.#commands ??= await recordTerminal({ args: ['--help'] }, {});
    const [command = ''] = view.args;
    if (!new RegExp(`^ +${command}\\b`, 'm').test(this.#commands)) {
      return this.say(`${name}: left out, republish has no command ${command}`);
    }
    const written = await recordTerminal(view, this.stack.env);
    const typed = view.args.map((word) => (/\s/.test(word) ? `'${word}'` : word)).join(' ');
    const clip = await showTerminal(this.page, `republish ${typed}`, written, view.columns);
    await this.#take(name, clip);
  }

  /** A tab of a run in the Temporal UI, without the navigation. */
  async ui(name: string, run: RepublishRun, tab: RunTab, texts: string[], height = 900): Promise<void> {
    const shown = { uiUrl: this.stack.temporal.uiUrl, workflowId: run.workflowId, runId: run.runId };
    await openRun(this.page, shown, tab, texts);
    await this.#hideMachine();
    await this.#take(name, {
      x: NAVIGATION_WIDTH,
      y: 48,
      width: 1280 - NAVIGATION_WIDTH,
      height: height - 48,
    });
  }

  /** The top of a report in a browser. */
  async report(name: string, subject: string, width = 1_000, height = 2_060): Promise<void> {
    const file = await writeReport(subject, this.stack.env);
    const viewport = this.page.viewportSize() ?? { width: 1280, height: 1250 };
    await this.page.setViewportSize({ ...viewport, width });
    await this.page.goto(pathToFileURL(file).href);
    await this.#take(name, { x: 0, y: 0, width, height });
    await this.page.setViewportSize(viewport);
    await rm(path.dirname(file), { recursive: true });
  }

  async #take(name: string, clip: Clip): Promise<void> {
    const file = path.join(this.directory, `${name}.png`);
    await this.page.screenshot({ path: file, clip, fullPage: true });
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw new Error(`${name}.png has ${size} bytes, more than ${MAX_BYTES}`);
    this.say(`${name}.png: ${Math.round(size / 1000)} kB`);
  }

  /** The name of a worker contains the host name, which must not be in a public picture. */
  async #hideMachine(): Promise<void> {
    await this.page.evaluate(`(() => {
      const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      while (texts.nextNode()) {
        const text = texts.currentNode;
        if (text.data.includes(${JSON.stringify(hostname())}))
          text.data = text.data.replaceAll(${JSON.stringify(hostname())}, 'worker-host');
      }
    })()`);
  }
}
