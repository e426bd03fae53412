import type { Configuration } from '../configuration/schema';

/** The parts of the configuration that a worker cannot do without. */
export type WorkerConfiguration = Configuration & {
  databaseUrl: string;
  lnbitsDatabaseUrl: string;
  secretsKey: string;
};

/** With what `needs` of the loader has required; what a command needs not may be empty. */
export function workerConfiguration(configuration: Configuration): WorkerConfiguration {
  const { databaseUrl = '', lnbitsDatabaseUrl = '', secretsKey = '' } = configuration;
  return { ...configuration, databaseUrl, lnbitsDatabaseUrl, secretsKey };
}
