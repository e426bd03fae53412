import type { Logger } from 'pino';
import type { Configuration } from '../../configuration/schema';
import type { Telemetry } from '../../contract/telemetry';
import { listen } from './listener';
import { Metrics } from './metrics';
import { freeLoopbackPort, readSdkMetrics } from './sdk-metrics';

/** What a worker serves over HTTP, from before it connects to anything until it has ended. */
export interface Monitoring {
  /** Counts what happens. Undefined: nobody can scrape. */
  telemetry: Telemetry | undefined;
  /** The port on which the SDK must serve its own metrics. They are shown together with ours. */
  sdkMetricsPort: number | undefined;
  /** From now on readiness is the worker's. Before, it is "starting". */
  watch(worker: { troubles(): Promise<string[]> }): void;
  /** The worker takes no more work, and finishes the work in progress. */
  drain(): void;
  close(): Promise<void>;
}

/**
 * Listens at `metricsAddress`. Without one it does nothing.
 *
 * @throws Error with the address, when it cannot be bound
 */
export async function startMonitoring(
  { metricsAddress }: Pick<Configuration, 'metricsAddress'>,
  build: { version: string; buildId: string },
  logger: Logger,
): Promise<Monitoring> {
  if (metricsAddress === undefined) return OFF;
  const metrics = new Metrics(build);
  const sdkMetricsPort = await freeLoopbackPort();
  let troubles = async (): Promise<string[]> => ['the worker is starting'];
  const listener = await listen(metricsAddress, {
    metrics: async () => (await metrics.text()) + (await readSdkMetrics(sdkMetricsPort)),
    troubles: () => troubles(),
  });
  logger.info({ address: listener.address }, 'metrics and health are served');
  return {
    telemetry: metrics,
    sdkMetricsPort,
    watch: (worker) => (troubles = () => worker.troubles()),
    drain: () => (troubles = async () => ['the worker is draining']),
    close: () => listener.close(),
  };
}

const OFF: Monitoring = {
  telemetry: undefined,
  sdkMetricsPort: undefined,
  watch: () => undefined,
  drain: () => undefined,
  close: async () => undefined,
};
