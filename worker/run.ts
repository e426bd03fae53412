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
 * The process exits this long after its grace period, even when something hangs. A supervisor that sends
 * SIGKILL later can rely on it.
 */
const GIVE_UP_AFTER_GRACE_MS = 20_000;

/**
 * What a worker can be given. A value given here replaces the configured one. Everything else, such as relays
 * and timeouts, comes from the configuration: environment variables and `republish.config.json`.
 */
export interface RunWorkerOptions extends GivenParts {
  /**
   * Encodes and converts all payloads of Temporal. It must be the one that callers use. Default: the module
   * that `dataConverter` (REPUBLISH_DATA_CONVERTER) names, else the SDK's.
   */
  dataConverter?: DataConverter | undefined;
  /**
   * A pino logger for all log lines, those of the Temporal SDK included. Its own level, redaction and
   * destination apply; REPUBLISH_LOG_LEVEL does not. No line contains a secret. Default: JSON lines on
   * stderr.
   */
  logger?: Logger | undefined;
  /**
   * Called for each run after this worker has committed its audit row. It is called at least once per run:
   * when a worker dies at that moment, the activity is retried, and the same or another worker calls it
   * again. Nobody waits for it. An error that it throws is logged and does not fail the run. Default: nothing
   * is called.
   */
  onRunEnded?: ((run: EndedRun) => unknown) | undefined;
  /** How long the worker waits at its start for Temporal and the databases. Default: 60,000. */
  patienceMs?: number | undefined;
}

/**
 * Runs a worker with the configuration of the process until SIGTERM or SIGINT, and resolves when it has
 * drained. Call it once per process: it installs the runtime of the Temporal SDK.
 *
 * When it rejects, end the process: threads of the SDK can keep it alive.
 *
 * @throws ConfigurationError with `problems`: the configuration or a given value is wrong
 * @throws WorkerCannotStart with `type` and `remedy`, as docs/errors.md lists them
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
    // Only now: a runtime without a worker would keep the process alive.
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
      // Nothing else shuts down a runtime without a worker, and it would keep the process alive.
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
      logger.fatal('the worker did not end in time: the process exits now');
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
