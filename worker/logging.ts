import { DefaultLogger, makeTelemetryFilterString, Runtime } from '@temporalio/worker';
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
        ],
        censor: '[redacted]',
      },
      // Errors of libraries carry fields (queries, parameters, payloads) that no log may hold: type, message and stack do.
      serializers: { err: ({ name, message, stack }: Error) => ({ type: name, message, stack }) },
    },
    pino.destination(2),
  );
}

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Sends the Temporal SDK's own lines through pino. Once per process, before anything else of the SDK is used. */
export function installRuntime(logger: Logger): void {
  Runtime.install({
    // Argument order differs: the SDK says (message, meta), pino (meta, message).
    logger: new DefaultLogger('INFO', ({ level, message, meta }) =>
      logger[LEVELS[level]](meta ?? {}, message),
    ),
    telemetryOptions: { logging: { forward: {}, filter: makeTelemetryFilterString({ core: 'WARN' }) } },
    shutdownSignals: [],
  });
}
