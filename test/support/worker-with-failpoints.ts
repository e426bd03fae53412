import type { Failpoint } from '../../activities/failpoints';
import { loadConfiguration } from '../../configuration/load';
import { loadTemporalConfiguration } from '../../configuration/temporal';
import { workerConfiguration } from '../../assembly/worker-configuration';
import { createRepublishWorker } from '../../worker/create-worker';
import { createLogger, installRuntime } from '../../worker/logging';

const FAILPOINTS: Record<Failpoint, true> = {
  'after-load': true,
  'after-proof': true,
  'after-encrypt': true,
  'after-seal': true,
  'after-sign': true,
  'after-quorum': true,
  'after-settle': true,
  'after-sweep': true,
  'after-audit': true,
};

/**
 * A worker that kills itself at `REPUBLISH_FAILPOINT=<name>[:<nth>]`. Only the fault tests start it, in a
 * process of its own; it is not part of the build, and `republish worker` knows nothing of the variable.
 */
export async function runWorkerWithFailpoints(bundlePath: string): Promise<void> {
  const [name = '', nth = '1'] = (process.env.REPUBLISH_FAILPOINT ?? '').split(':');
  delete process.env.REPUBLISH_FAILPOINT;
  if (name !== '' && !Object.hasOwn(FAILPOINTS, name)) throw new Error(`no failpoint is called "${name}"`);

  const configuration = loadConfiguration({ needs: ['databaseUrl', 'relays', 'secretsKey'] });
  const logger = createLogger('info');
  installRuntime(logger);
  let passages = 0;
  const worker = await createRepublishWorker({
    configuration: workerConfiguration(configuration),
    temporal: loadTemporalConfiguration(),
    logger,
    workflowBundle: { codePath: bundlePath },
    failpoint: (passed) => {
      if (passed === name && (passages += 1) === Number(nth)) dieAtOnce();
    },
  });
  logger.info('worker is polling');
  await worker.run();
}

function dieAtOnce(): never {
  process.kill(process.pid, 'SIGKILL');
  // The signal may reach another thread first: nothing of what follows the failpoint may happen meanwhile.
  for (;;);
}
