import type { WorkerConfiguration } from '../../worker/build-dependencies';

/** The configuration of a worker, for commands that look with a worker's eyes. @throws ConfigurationError */
export async function workerConfiguration(): Promise<WorkerConfiguration> {
  const { loadConfiguration } = await import('../../configuration/load.js');
  const configuration = loadConfiguration({ needs: ['databaseUrl', 'relays', 'secretsKey'] });
  return {
    ...configuration,
    databaseUrl: configuration.databaseUrl ?? '',
    secretsKey: configuration.secretsKey ?? '',
  };
}
