import { Runtime } from '@temporalio/worker';
import { loadConfiguration, WORKER_NEEDS } from '../configuration/load';
import { configuredDataConverter } from '../configuration/data-converter';
import { loadTemporalConfiguration } from '../configuration/temporal';
import { documentTypesOf, workerConfiguration } from '../assembly/build-dependencies';
import { createRepublishWorker, type WorkerOptions } from './create-worker';
import { type Build, buildOf } from './build';
import { createLogger, installRuntime, logWarnings } from './logging';
import { type Monitoring, startMonitoring } from './telemetry/monitoring';
import type { Tracing } from './telemetry/tracing';
import { untilReady } from './until-ready';

/**
 * A process that was told to end is gone this long after its grace period, whatever hangs: whoever sends
 * SIGKILL afterwards can rely on it.
 */
const GIVE_UP_AFTER_GRACE_MS = 20_000;

export interface RunWorkerOptions extends Pick<WorkerOptions, 'documentTypes' | 'dataConverter'> {
  /** How long it waits at its start for Temporal and the databases. Default: 60,000. */
  patienceMs?: number;
}

/**
 * Runs a worker with the process's configuration until SIGTERM or SIGINT; resolves when it has drained.
 *
 * Where it rejects, end the process: threads of the SDK may be left that would keep it alive.
 *
 * @throws ConfigurationError, or WorkerCannotStart (with `type` and `remedy`, as docs/errors.md has them)
 * when it cannot start
 */
export async function runWorker(options: RunWorkerOptions = {}): Promise<void> {
  const configuration = workerConfiguration(loadConfiguration({ needs: WORKER_NEEDS }));
  const documentTypes = options.documentTypes ?? (await documentTypesOf(configuration));
  const dataConverter = options.dataConverter ?? (await configuredDataConverter());
  const temporal = loadTemporalConfiguration();
  const logger = createLogger(configuration.logLevel);
  logWarnings(logger);
  const build = buildOf(configuration);
  const monitoring = await startMonitoring(configuration, build, logger);
  const { tracesUrl } = configuration;
  let tracing: Tracing | undefined;
  try {
    await untilReady({ configuration, temporal, logger, documentTypes }, options.patienceMs);
    // Not before: a runtime that never had a worker would keep the process alive.
    installRuntime(logger, monitoring);
    if (tracesUrl !== undefined)
      tracing = (await import('./telemetry/tracing.js')).startTracing(tracesUrl, build, logger);
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
      // A runtime that never had a worker is not shut down by itself, and would keep the process alive for
      // ever.
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
