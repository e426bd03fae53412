import type { Need } from '../../configuration/load';
import type { WorkerConfiguration } from '../../assembly/worker-configuration';

/**
 * The configuration of a worker, for commands that read what a worker would read.
 *
 * @param needs settings that the command requires; the others may be empty
 * @throws ConfigurationError
 */
export async function loadWorkerConfiguration(needs: readonly Need[]): Promise<WorkerConfiguration> {
  const { loadConfiguration } = await import('../../configuration/load.js');
  const { workerConfiguration } = await import('../../assembly/worker-configuration.js');
  return workerConfiguration(loadConfiguration({ needs }));
}
