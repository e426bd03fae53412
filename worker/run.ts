import { Runtime } from '@temporalio/worker';
import { loadConfiguration } from '../configuration/load';
import type { Configuration } from '../configuration/schema';
import { loadTemporalConfiguration } from '../configuration/temporal';
import type { WorkerConfiguration } from './build-dependencies';
import { createRepublishWorker, type WorkerOptions } from './create-worker';
import { createLogger, installRuntime } from './logging';

/**
 * Runs a worker with the process's configuration until SIGTERM or SIGINT; resolves when it has drained.
 *
 * @throws ConfigurationError, RepublishError (database) or Error (Temporal) when it cannot start
 */
export async function runWorker(options: Pick<WorkerOptions, 'documentTypes'> = {}): Promise<void> {
  const configuration = requireWorkerParts(
    loadConfiguration({ needs: ['databaseUrl', 'relays', 'secretsKey'] }),
  );
  const temporal = loadTemporalConfiguration();
  const logger = createLogger(configuration.logLevel);
  installRuntime(logger);

  const worker = await createRepublishWorker({ configuration, temporal, logger, ...options }).catch(
    async (error: unknown) => {
      // A runtime that never had a worker is not shut down by itself, and would keep the process alive for ever.
      await Runtime.instance().shutdown();
      throw error;
    },
  );
  const stop = (signal: NodeJS.Signals): void => {
    logger.info({ signal }, 'draining: documents in work are finished, no new ones are taken');
    worker.shutdown();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  logger.info(
    {
      taskQueue: configuration.taskQueue,
      temporal: temporal.address,
      namespace: temporal.namespace,
      relays: configuration.relays.length,
      quorum: configuration.quorum,
    },
    'worker is polling',
  );
  try {
    await worker.run();
  } finally {
    process.removeListener('SIGTERM', stop);
    process.removeListener('SIGINT', stop);
  }
  logger.info('worker has stopped');
}

/** loadConfiguration has required them; this tells the compiler. */
function requireWorkerParts(configuration: Configuration): WorkerConfiguration {
  const { databaseUrl = '', secretsKey = '' } = configuration;
  return { ...configuration, databaseUrl, secretsKey };
}
