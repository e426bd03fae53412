import { existsSync } from 'node:fs';
import path from 'node:path';
import { within } from '../async/wait';
import { type ProcessGroup, startProcessGroup } from './process-group';

/** The built command line, from this file in dist/ or from its source. */
const COMMAND_LINE = [
  path.join(__dirname, '../client/cli/main.js'),
  path.join(__dirname, '../dist/client/cli/main.js'),
].find((file) => existsSync(file));

/** Longer than a worker waits for Temporal and the databases: after that it ends, and says why. */
const READY_WITHIN_MS = 90_000;

/** Runs `republish worker` on the servers that `env` names; see `startWorker`. */
export function startWorkerProcess(
  env: Record<string, string>,
  onLine?: (line: string) => void,
): Promise<ProcessGroup> {
  // A data folder or a real LNbits in the environment of this shell would replace the servers of `env`.
  const { REPUBLISH_DATA: _, LNBITS_DATABASE_URL: __, LNBITS_DATA_FOLDER: ___, ...inherited } = process.env;
  return startWorker([], { ...inherited, ...env }, onLine);
}

/** Runs `republish worker` on a data folder, with the environment of this process; see `startWorker`. */
export function startFolderWorker(folder: string, onLine?: (line: string) => void): Promise<ProcessGroup> {
  return startWorker(['--data', folder], process.env, onLine);
}

/**
 * Runs a worker in a process of its own, so that it can be killed. Resolves when it polls.
 *
 * @throws Error with the worker's last lines: it ended before, or does not poll within 90 s
 */
async function startWorker(
  options: string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string) => void = () => undefined,
): Promise<ProcessGroup> {
  if (COMMAND_LINE === undefined) throw new Error('the command line is not built: npm run build');
  let polling: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => (polling = resolve));
  const worker = await startProcessGroup({
    name: 'republish worker',
    command: process.execPath,
    args: [COMMAND_LINE, 'worker', ...options],
    env,
    cwd: process.cwd(),
    onLine: (line) => {
      onLine(line);
      if (line.includes('worker is polling')) polling();
    },
    orphan: { signal: 'SIGTERM' },
  });
  const isReady = Promise.race([ready.then(() => true), worker.exited.then(() => false)]);
  if (!(await within(isReady, READY_WITHIN_MS))) {
    await worker.stop('SIGKILL', 1_000);
    throw new Error(`the worker did not start polling: ${worker.epitaph()}`);
  }
  return worker;
}
