import type { WriteStream } from 'node:tty';
import type { RepublishRun } from '../../run';
import type { RunStatus } from '../../run-status';
import { runRestsWithoutUs } from '../data-folder';
import { EXIT } from '../exit-codes';
import { canRedraw, inColour, say } from '../output';
import { onCtrlC } from '../signals';
import { onOneLine } from '../terminal/text';
import { commandLine } from '../command-lines';
import { LiveView } from './live-view';
import { PlainLines } from './plain-lines';

export interface Follow {
  operator: string;
  /** The run is shown here: in place on a terminal, else in lines. */
  stream: WriteStream;
  patienceMs: number;
  /** Gets each status. Then nothing is shown on the stream. */
  onStatus?: (status: RunStatus) => void;
}

/** How long a detached process may take to close its connection. */
const CLOSE_TIMEOUT_MS = 2_000;

/**
 * Shows a run until it has ended. Ctrl-C detaches and tells how to come back. A second Ctrl-C ends the
 * process at once.
 *
 * @returns the last status; undefined when Ctrl-C detached
 */
export async function follow(
  run: RepublishRun,
  { operator, stream, patienceMs, onStatus }: Follow,
): Promise<RunStatus | undefined> {
  const detached = new AbortController();
  const onSignal = (): void => {
    if (detached.signal.aborted) process.exit(EXIT.detached);
    detached.abort();
    // Our own servers stop in order, and our own worker finishes documents in work.
    if (!runRestsWithoutUs()) setTimeout(() => process.exit(EXIT.detached), CLOSE_TIMEOUT_MS).unref();
  };
  const forget = onCtrlC(onSignal);
  const shown = onStatus === undefined ? showOn(stream, operator) : { see: onStatus, close: () => undefined };
  let last: RunStatus | undefined;
  try {
    for await (const status of run.watch({ patienceMs, signal: detached.signal })) shown.see((last = status));
  } finally {
    shown.close();
    if (!detached.signal.aborted) forget();
  }
  if (!detached.signal.aborted) return last;
  // While no worker makes progress, a cancellation would wait too.
  const [stays, end] =
    last === undefined || last.obstacle === null ? ['continues', 'cancel'] : ['stays as it is', 'end'];
  say(
    runRestsWithoutUs()
      ? `stopping: documents in work are finished, and the run rests. Go on with: ${commandLine('start', operator)}`
      : `detached; the run ${stays}. Come back with: ${commandLine('watch', operator)}\nor end it with: ${commandLine(end, operator)}`,
  );
  process.exitCode = EXIT.detached;
  return undefined;
}

interface Shown {
  see(status: RunStatus): void;
  close(): void;
}

function showOn(stream: WriteStream, operator: string): Shown {
  if (canRedraw(stream)) return new LiveView(stream, operator, inColour(stream));
  const lines = new PlainLines(operator);
  return {
    see: (status) => {
      for (const text of lines.see(status, Date.now())) stream.write(`${onOneLine(text)}\n`);
    },
    close: () => undefined,
  };
}
