import { existsSync } from 'node:fs';
import path from 'node:path';
import { within } from '../async/wait';
import { type ProcessGroup, startProcessGroup } from './process-group';

/** The built command line: beside this file in dist/, and in dist/ when this file runs from its source. */
const COMMAND_LINE = [
  path.join(__dirname, '../client/cli/main.js'),
  path.join(__dirname, '../dist/client/cli/main.js'),
].find((file) => existsSync(file));

const READY_WITHIN_MS = 30_000;

/** Runs `republish worker` on servers that an environment names; see `startWorker`. */
export function startWorkerProcess(
  env: Record<string, string>,
  onLine?: (line: string) => void,
): Promise<ProcessGroup> {
  // What this shell says of a data folder or of a real LNbits would be in the way of the servers that are
  // named.
  const { REPUBLISH_DATA: _, LNBITS_DATABASE_URL: __, LNBITS_DATA_FOLDER: ___, ...inherited } = process.env;
  return startWorker([], { ...inherited, ...env }, onLine);
}

/**
 * Runs `republish worker` on the servers of a data folder, with what else this process is configured; see
 * `startWorker`.
 */
export function startFolderWorker(folder: string, onLine?: (line: string) => void): Promise<ProcessGroup> {
  return startWorker(['--data', folder], process.env, onLine);
}

/**
 * Runs a worker in a process of its own, so that it can be killed as a real one dies. Resolves when it polls.
 *
 * @throws Error with its last lines when it ends before
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
