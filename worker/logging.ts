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
      // Nothing should put these into a log line; if something does, they do not come out.
      redact: {
        paths: [
          '*.ncryptsec',
          '*.secretsKey',
          '*.databaseUrl',
          '*.clientSecretKey',
          '*.secret',
          '*.uri',
          '*.plaintext',
          // No secret, but two hundred characters of noise in each line of the SDK.
          'taskToken',
        ],
        censor: '[redacted]',
      },
      // Errors of libraries carry fields (queries, parameters, payloads) that no log may hold: type, message
      // and stack do. The SDK says `error`, and its workflow side hands over errors of another realm, which
      // are no instances of Error.
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
 * Node's warnings, and those of libraries (pg has some), as lines like all others: by themselves they are
 * plain text on stderr.
 */
export function logWarnings(logger: Logger): void {
  process.removeAllListeners('warning');
  process.on('warning', ({ name, message }) => logger.warn({ warning: name }, message));
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/**
 * Sends the Temporal SDK's own lines through pino, and its metrics to a port of the loopback interface, if
 * one is given. Once per process, before anything else of the SDK is used.
 */
export function installRuntime(logger: Logger, options: { sdkMetricsPort?: number | undefined } = {}): void {
  const { sdkMetricsPort } = options;
  Runtime.install({
    // Argument order differs: the SDK says (message, meta), pino (meta, message). Its lines for each activity
    // are at DEBUG.
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
 * The SDK calls the run `workflowRunId` in some lines and `runId` in others; whoever searches needs one name.
 */
function namedAsOurs(meta: Record<string | symbol, unknown> = {}): Record<string, unknown> {
  const { workflowRunId, ...rest } = meta;
  return workflowRunId === undefined ? rest : { ...rest, runId: workflowRunId };
}

/** By the conventions of Prometheus: seconds, and `_total` for what only grows. */
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
