import type { ProcessGroup } from './process-group';

/** A worker has its grace period (20 s) and as much again before it gives up by itself. */
const STOP_TIMEOUT_MS = 45_000;

export interface KeptWorker {
  /** Rejects when a worker ends by itself, which another one would do too; never resolves. */
  failed: Promise<never>;
  /** SIGTERM, then waits until what is in work has been finished. May be called again. */
  stop(): Promise<void>;
}

/** Runs a worker, and another one when it is killed: a run survives that. Resolves when the first one polls. */
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

/** Whether a line of a worker's log (pino's JSON) is one that a person should see. */
export function isTrouble(line: string): boolean {
  return /"level":"(warn|error|fatal)"/.test(line);
}
