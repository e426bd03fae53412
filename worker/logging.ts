import {
  DefaultLogger,
  makeTelemetryFilterString,
  type MetricsExporterConfig,
  Runtime,
} from '@temporalio/worker';
import pino, { type Logger } from 'pino';

/** The one logger of a process: JSON lines on stderr, so that stdout stays free for data. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // A second protection: no code puts these into a log line.
      redact: {
        paths: [
          '*.ncryptsec',
          '*.secretsKey',
          '*.databaseUrl',
          '*.clientSecretKey',
          '*.secret',
          '*.uri',
          '*.plaintext',
          // Not a secret, but 200 characters of noise in each line of the SDK.
          'taskToken',
        ],
        censor: '[redacted]',
      },
      // Errors of libraries have fields (queries, parameters, payloads) that no log may contain. Type,
      // message and stack are enough. The SDK uses the name `error`, and its workflow side passes errors of
      // another realm, which are not instances of Error.
      serializers: { err: describeError, error: describeError },
    },
    // Written at once. Pino's default hands a line to another thread: the last lines of a worker that ends
    // come out of order, and those of one that is killed are lost.
    pino.destination({ dest: 2, sync: true }),
  );
}

function describeError(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { name, type, message, stack } = value as Partial<Error> & { type?: unknown };
  return { type: type ?? name, message, stack };
}

/**
 * Logs the warnings of Node and of libraries (pg has some) as JSON lines. By default they are plain text on
 * stderr.
 */
export function logWarnings(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn({ warning: name }, message));
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Sends the log lines of the Temporal SDK through pino, and serves its metrics on a loopback port if one is
 * given. Call it once per process, before any other use of the SDK.
 */
export function installRuntime(logger: Logger, options: { sdkMetricsPort?: number | undefined } = {}): void {
  const { sdkMetricsPort } = options;
  Runtime.install({
    // The order of arguments differs: the SDK passes (message, meta), pino takes (meta, message). The SDK's
    // lines for each activity are at DEBUG.
    logger: new DefaultLogger(logger.isLevelEnabled('debug') ? 'DEBUG' : 'INFO', ({ level, message, meta }) =>
      logger[LEVELS[level]](namedAsOurs(meta), message),
    ),
    telemetryOptions: {
      logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN' }) },
      ...(sdkMetricsPort === undefined ? {} : { metrics: sdkMetrics(sdkMetricsPort) }),
    },
    shutdownSignals: [],
  });
}

/**
 * The SDK names the run `workflowRunId` in some lines and `runId` in others. One name makes it searchable.
 */
function namedAsOurs(meta: Record<string | symbol, unknown> = {}): Record<string, unknown> {
  const { workflowRunId, ...rest } = meta;
  return workflowRunId === undefined ? rest : { ...rest, runId: workflowRunId };
}

/** Prometheus' conventions: seconds, and `_total` for counters. */
function sdkMetrics(port: number): MetricsExporterConfig {
  return {
    prometheus: {
      bindAddress: `127.0.0.1:${port}`,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
    },
  };
}
