import type { Failpoint } from '../../activities/failpoints';
import { type ProcessGroup, startProcessGroup } from '../../embedded/process-group';
import { programThatReadsTypeScript } from './child-program';
import type { Saga } from './saga';
import { testServers } from './servers';

const READY_WITHIN_MS = 90_000;

/**
 * Runs a worker of the sources in a process of its own, which dies of SIGKILL at the failpoint, if one is
 * given. What it logs joins the saga's logs. Resolves when it polls.
 */
export async function startWorkerChild(
  saga: Saga,
  options: { failpoint?: Failpoint | `${Failpoint}:${number}`; env?: Record<string, string> } = {},
): Promise<ProcessGroup> {
  const entry = JSON.stringify(require.resolve('./worker-with-failpoints'));
  const program = programThatReadsTypeScript(`
    require(${entry}).runWorkerWithFailpoints(${JSON.stringify(testServers().bundlePath)}).catch((error) => {
      console.error(error);
      process.exit(1);
    });`);
  let polls: () => void = () => undefined;
  const polling = new Promise<'polling'>((resolve) => (polls = () => resolve('polling')));
  const worker = await startProcessGroup({
    name: 'the worker',
    command: process.execPath,
    args: ['-e', program],
    cwd: process.cwd(),
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      ...saga.env,
      ...options.env,
      ...(options.failpoint === undefined ? {} : { REPUBLISH_FAILPOINT: options.failpoint }),
    },
    onLine: (line) => {
      saga.logs.push(line);
      if (line.includes('worker is polling')) polls();
    },
    orphan: { signal: 'SIGKILL' },
  });
  saga.onStop(() => worker.stop('SIGKILL', 1_000));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, READY_WITHIN_MS)));
  const outcome = await Promise.race([polling, worker.exited, late]);
  clearTimeout(timer);
  if (outcome !== 'polling') throw new Error(`the worker did not start polling: ${worker.epitaph()}`);
  return worker;
}
