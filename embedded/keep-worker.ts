import { startFolderWorker } from './worker-process';
import type { ProcessGroup } from './process-group';

/** Longer than a worker needs: its grace period is 20 s, and it gives up 20 s later. */
const STOP_TIMEOUT_MS = 45_000;

export interface KeptWorker {
  /** Rejects when a worker exits without a signal: another worker would do the same. It never resolves. */
  failed: Promise<never>;
  /** Sends SIGTERM and waits until the worker has finished its work. May be called again. */
  stop(): Promise<void>;
}

/** Runs a worker, and starts another one when it is killed. Resolves when the first worker polls. */
export async function keepWorker(
  start: () => Promise<ProcessGroup>,
  say: (text: string) => void,
): Promise<KeptWorker> {
  let stopping = false;
  let worker = await start();
  const failed = (async (): Promise<never> => {
    for (;;) {
      await worker.exited;
      // We have stopped it: that is no failure.
      if (stopping) return new Promise<never>(() => undefined);
      if (!worker.epitaph().startsWith('signal')) {
        throw new Error(`the worker ended unexpectedly: ${worker.epitaph()}`);
      }
      say('the worker has died; another one is started');
      worker = await start();
      if (stopping) await worker.stop('SIGTERM', STOP_TIMEOUT_MS);
    }
  })();
  failed.catch(() => undefined); // the caller handles it, maybe later than this rejection
  return {
    failed,
    stop() {
      stopping = true;
      return worker.stop('SIGTERM', STOP_TIMEOUT_MS);
    },
  };
}

/**
 * Messages of the SDK for each failed attempt and run. The status of the run shows these failures already.
 */
const SHOWN_BY_THE_RUN = ['Activity failed', 'Workflow failed'];

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

/** The text that a person should see for a line of a worker's log, on one line. Undefined: nothing. */
export function troubleIn(line: string): string | undefined {
  if (!isTrouble(line)) return undefined;
  let logged: LogLine;
  try {
    logged = JSON.parse(line) as LogLine;
  } catch {
    return line;
  }
  const { msg, reason, err, error } = logged;
  if (SHOWN_BY_THE_RUN.includes(String(msg))) return undefined;
  const parts = [msg, err?.type ?? error?.type, err?.message ?? error?.message, reason];
  return parts
    .filter((part) => typeof part === 'string')
    .join(': ')
    .replace(/\s+/g, ' ');
}

/** Whether a line of a worker's log (pino's JSON) is a warning or worse. */
export function isTrouble(line: string): boolean {
  return /"level":"(warn|error|fatal)"/.test(line);
}

/** Keeps a worker on a data folder, and shows the warnings and errors of its log. */
export function keepFolderWorker(folder: string, say: (text: string) => void): Promise<KeptWorker> {
  const start = (): Promise<ProcessGroup> =>
    startFolderWorker(folder, (line) => {
      const trouble = troubleIn(line);
      if (trouble !== undefined) say(`worker: ${trouble}`);
    });
  return keepWorker(start, say);
}
