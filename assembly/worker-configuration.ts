import type { Configuration } from '../configuration/schema';

/** The configuration, with the keys that a worker needs. */
export type WorkerConfiguration = Configuration & {
  databaseUrl: string;
  lnbitsDatabaseUrl: string;
  secretsKey: string;
};

/** The loader has required the keys that the caller needs. The others may be empty. */
export function workerConfiguration(configuration: Configuration): WorkerConfiguration {
  const { databaseUrl = '', lnbitsDatabaseUrl = '', secretsKey = '' } = configuration;
  return { ...configuration, databaseUrl, lnbitsDatabaseUrl, secretsKey };
}
