import type { DataConverter } from '@temporalio/common';
import { Runtime } from '@temporalio/worker';
import type { Logger } from 'pino';
import type { EndedRun } from '../activities/dependencies';
import { loadConfiguration, WORKER_NEEDS } from '../configuration/load';
import { configuredDataConverter } from '../configuration/data-converter';
import { loadTemporalConfiguration } from '../configuration/temporal';
import { type GivenParts, loadParts, type Parts } from '../assembly/parts';
import { workerConfiguration } from '../assembly/worker-configuration';
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

/**
 * What a worker may be given. What is given here wins over what the configuration names; everything else, such
 * as relays and timeouts, is the configuration's: environment variables and `republish.config.json`.
 */
export interface RunWorkerOptions extends GivenParts {
  /**
   * What encodes and converts all payloads of Temporal, as whoever starts runs and looks at them has it.
   * Default: that of the module that `dataConverter` (REPUBLISH_DATA_CONVERTER) names; without one, the SDK's.
   */
  dataConverter?: DataConverter | undefined;
  /**
   * Where all lines of log go, those of the Temporal SDK too. Its own level, redaction and destination count;
   * REPUBLISH_LOG_LEVEL does not. No line has a secret. Default: JSON lines on stderr.
   */
  logger?: Logger | undefined;
  /**
   * Told of each run whose audit this worker has written, after it was committed. At least once for each
   * run: a worker that dies at that moment tells it when the activity is tried again, and another worker may.
   * Nobody waits for it. What it throws is logged, and is no failure of the run. Default: nobody is told.
   */
  onRunEnded?: ((run: EndedRun) => unknown) | undefined;
  /** How long it waits at its start for Temporal and the databases. Default: 60,000. */
  patienceMs?: number | undefined;
}

/**
 * Runs a worker with the process's configuration until SIGTERM or SIGINT; resolves when it has drained. Once
 * in a process: it installs the runtime of the Temporal SDK.
 *
 * Where it rejects, end the process: threads of the SDK may be left that would keep it alive.
 *
 * @throws ConfigurationError (with `problems`) for the configuration and for what is given here;
 * WorkerCannotStart (with `type` and `remedy`, as docs/errors.md has them) when it cannot start
 */
export async function runWorker(options: RunWorkerOptions = {}): Promise<void> {
  const configuration = workerConfiguration(loadConfiguration({ needs: WORKER_NEEDS }));
  const parts = await loadParts(configuration, options);
  try {
    await runReady({ ...parts, configuration, onRunEnded: options.onRunEnded }, options);
  } finally {
    await parts.close();
  }
}

async function runReady(
  known: Pick<WorkerOptions, 'configuration' | 'onRunEnded' | keyof Parts>,
  options: RunWorkerOptions,
): Promise<void> {
  const { configuration } = known;
  const dataConverter = options.dataConverter ?? (await configuredDataConverter());
  const temporal = loadTemporalConfiguration();
  const logger = options.logger ?? createLogger(configuration.logLevel);
  logWarnings(logger);
  const build = buildOf(configuration);
  const monitoring = await startMonitoring(configuration, build, logger);
  const { tracesUrl } = configuration;
  let tracing: Tracing | undefined;
  try {
    await untilReady({ ...known, temporal, logger }, options.patienceMs);
    // Not before: a runtime that never had a worker would keep the process alive.
    installRuntime(logger, monitoring);
    if (tracesUrl !== undefined)
      tracing = (await import('./telemetry/tracing.js')).startTracing(tracesUrl, build, logger);
    await runMonitored({ ...known, temporal, logger, tracing, dataConverter }, build, monitoring);
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
