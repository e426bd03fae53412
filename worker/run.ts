import { Runtime } from '@temporalio/worker';
import { loadConfiguration } from '../configuration/load';
import { configuredDataConverter } from '../configuration/data-converter';
import { loadTemporalConfiguration } from '../configuration/temporal';
import { documentTypesOf, workerConfiguration } from './build-dependencies';
import { createRepublishWorker, type WorkerOptions } from './create-worker';
import { type Build, buildOf } from './build';
import { createLogger, installRuntime } from './logging';
import { type Monitoring, startMonitoring } from './telemetry/monitoring';

/**
 * A process that was told to end is gone this long after its grace period, whatever hangs: whoever sends SIGKILL afterwards
 * can rely on it.
 */
const GIVE_UP_AFTER_GRACE_MS = 20_000;

/**
 * Runs a worker with the process's configuration until SIGTERM or SIGINT; resolves when it has drained.
 *
 * @throws ConfigurationError, RepublishError (database) or Error (Temporal) when it cannot start
 */
export async function runWorker(
  options: Pick<WorkerOptions, 'documentTypes' | 'dataConverter'> = {},
): Promise<void> {
  const configuration = workerConfiguration(
    loadConfiguration({ needs: ['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey'] }),
  );
  const documentTypes = options.documentTypes ?? (await documentTypesOf(configuration));
  const dataConverter = options.dataConverter ?? (await configuredDataConverter());
  const temporal = loadTemporalConfiguration();
  const logger = createLogger(configuration.logLevel);
  const build = buildOf(configuration);
  const monitoring = await startMonitoring(configuration, build, logger);
  installRuntime(logger, monitoring);
  const { tracesUrl } = configuration;
  const tracing =
    tracesUrl === undefined
      ? undefined
      : (await import('./telemetry/tracing.js')).startTracing(tracesUrl, build, logger);
  try {
    await runMonitored(
      { configuration, temporal, logger, tracing, documentTypes, dataConverter },
      build,
      monitoring,
    );
  } finally {
    await tracing?.close();
    await monitoring.close();
  }
}

async function runMonitored(options: WorkerOptions, build: Build, monitoring: Monitoring): Promise<void> {
  const { configuration, temporal, logger } = options;
  const worker = await createRepublishWorker({ ...options, telemetry: monitoring.telemetry }).catch(
    async (error: unknown) => {
      // A runtime that never had a worker is not shut down by itself, and would keep the process alive for ever.
      await Runtime.instance().shutdown();
      throw error;
    },
  );
  monitoring.watch(worker);
  const stop = (signal: NodeJS.Signals): void => {
    // The next signal, of either kind, ends the process at once.
    process.removeListener('SIGTERM', stop);
    process.removeListener('SIGINT', stop);
    logger.info({ signal }, 'draining: documents in work are finished, no new ones are taken');
    monitoring.drain();
    worker.shutdown();
    setTimeout(() => {
      logger.fatal('the worker did not end by itself: giving up');
      process.exit(1);
    }, configuration.shutdownGraceMs + GIVE_UP_AFTER_GRACE_MS).unref();
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
      ...build,
      ...(configuration.deployment === undefined ? {} : { deployment: configuration.deployment }),
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
