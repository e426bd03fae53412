import { startFolderWorker } from './worker-process';
import type { ProcessGroup } from './process-group';

/** A worker has its grace period (20 s) and as much again before it gives up by itself. */
const STOP_TIMEOUT_MS = 45_000;

export interface KeptWorker {
  /** Rejects when a worker ends by itself, which another one would do too; never resolves. */
  failed: Promise<never>;
  /** SIGTERM, then waits until what is in work has been finished. May be called again. */
  stop(): Promise<void>;
}

/**
 * Runs a worker, and another one when it is killed: a run survives that. Resolves when the first one polls.
 */
export async function keepWorker(
  start: () => Promise<ProcessGroup>,
  say: (text: string) => void,
): Promise<KeptWorker> {
  let stopping = false;
  let worker = await start();
  const failed = (async (): Promise<never> => {
    for (;;) {
      await worker.exited;
      // Stopped by us: whoever waits for the servers has its own reason to go on.
      if (stopping) return new Promise<never>(() => undefined);
      if (!worker.epitaph().startsWith('signal')) {
        throw new Error(`the worker ended by itself: ${worker.epitaph()}`);
      }
      say('the worker has died; another one is started');
      worker = await start();
      if (stopping) await worker.stop('SIGTERM', STOP_TIMEOUT_MS);
    }
  })();
  failed.catch(() => undefined); // seen by whoever waits for it
  return {
    failed,
    stop() {
      stopping = true;
      return worker.stop('SIGTERM', STOP_TIMEOUT_MS);
    },
  };
}

/** What the SDK says of each attempt and run that failed: the run itself tells it, with what to do. */
const TOLD_BY_THE_RUN = ['Activity failed', 'Workflow failed'];

interface LogLine {
  msg?: unknown;
  reason?: unknown;
  err?: LoggedError;
  error?: LoggedError;
}
interface LoggedError {
  type?: unknown;
  message?: unknown;
}

/** What a person should see of a line of a worker's log, on one line; undefined when it is nothing. */
export function troubleIn(line: string): string | undefined {
  if (!isTrouble(line)) return undefined;
  let logged: LogLine;
  try {
    logged = JSON.parse(line) as LogLine;
  } catch {
    return line;
  }
  const { msg, reason, err, error } = logged;
  if (TOLD_BY_THE_RUN.includes(String(msg))) return undefined;
  const parts = [msg, err?.type ?? error?.type, err?.message ?? error?.message, reason];
  return parts
    .filter((part) => typeof part === 'string')
    .join(': ')
    .replace(/\s+/g, ' ');
}

/** Whether a line of a worker's log (pino's JSON) is one that a person should see. */
export function isTrouble(line: string): boolean {
  return /"level":"(warn|error|fatal)"/.test(line);
}

/** Keeps a worker on a data folder, and says what is wrong with it. */
export function keepFolderWorker(folder: string, say: (text: string) => void): Promise<KeptWorker> {
  const start = (): Promise<ProcessGroup> =>
    startFolderWorker(folder, (line) => {
      const trouble = troubleIn(line);
      if (trouble !== undefined) say(`worker: ${trouble}`);
    });
  return keepWorker(start, say);
}
