import type { Need } from '../../configuration/load';
import type { WorkerConfiguration } from '../../worker/build-dependencies';

/**
 * The configuration of a worker, for commands that look with a worker's eyes.
 *
 * @param needs what the command cannot do without; what it needs not may be empty
 * @throws ConfigurationError
 */
export async function workerConfiguration(needs: readonly Need[]): Promise<WorkerConfiguration> {
  const { loadConfiguration } = await import('../../configuration/load.js');
  const configuration = loadConfiguration({ needs });
  return {
    ...configuration,
    databaseUrl: configuration.databaseUrl ?? '',
    secretsKey: configuration.secretsKey ?? '',
  };
}
