import { existsSync } from 'node:fs';
import path from 'node:path';
import { type DataConverter, IllegalStateError } from '@temporalio/common';
import {
  NativeConnection,
  Worker,
  type WorkerOptions as SdkWorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/create-activities';
import type { EndedRun } from '../activities/dependencies';
import type { Failpoint } from '../activities/failpoints';
import { withEncodedFailures } from '../configuration/data-converter';
import type { TemporalConfiguration } from '../configuration/temporal';
import { ensureError } from '../contract/failures';
import { PACKAGE } from '../contract/names';
import type { Telemetry } from '../contract/telemetry';
import { documentTypes as shippedDocumentTypes } from '../documents/registry';
import { lookAtSearchAttributes } from '../inspection/doctor/temporal';
import { loadSchnorr } from '../nostr/schnorr';
import { buildDependencies } from '../assembly/build-dependencies';
import type { Parts } from '../assembly/parts';
import type { WorkerConfiguration } from '../assembly/worker-configuration';
import { buildOf } from './build';
import { namePageInLogs } from './log-attributes';
import { readinessOf } from './telemetry/readiness';
import type { Tracing } from './telemetry/tracing';

/** Document types: default is the registry in documents/. */
export interface WorkerOptions extends Partial<Parts> {
  configuration: WorkerConfiguration;
  temporal: TemporalConfiguration;
  logger: Logger;
  /** Told of each run whose audit this worker writes. */
  onRunEnded?: ((run: EndedRun) => unknown) | undefined;
  /**
   * What encodes and converts all payloads, as whoever starts runs and looks at them has it. Default: the
   * SDK's.
   */
  dataConverter?: DataConverter | undefined;
  /**
   * Default: the bundle that `npm run build` made; without one, and with a data converter that has code of
   * its own in the workflows, they are bundled at start, which takes seconds.
   */
  workflowBundle?: WorkflowBundleOption;
  /** For the fault tests alone: ends the process at a place of their choice. No configuration leads here. */
  failpoint?: (name: Failpoint) => void;
  /** Told what happens, for metrics. */
  telemetry?: Telemetry | undefined;
  /** Makes spans of its activities. */
  tracing?: Tracing | undefined;
}

export interface RepublishWorker {
  /** Polls until `shutdown()`; resolves when all is drained and closed, rejects when the worker failed. */
  run(): Promise<void>;
  /** Takes no new work, lets what is in work end within the grace period. */
  shutdown(): void;
  /** Why it can take no work at this moment; empty when it can. */
  troubles(): Promise<string[]>;
}

/** How long a document that was cancelled at the end of the grace period may take to notice. */
const SHUTDOWN_NOTICE_MS = 10_000;

/**
 * Connects to Temporal and makes a worker that is ready to run, on a ledger that has been migrated
 * (`untilReady` does).
 *
 * @throws Error naming the address, when Temporal cannot be reached
 */
export async function createRepublishWorker(options: WorkerOptions): Promise<RepublishWorker> {
  const { configuration, temporal, logger, tracing } = options;
  const dataConverter = withEncodedFailures(options.dataConverter);
  const { dependencies, close } = buildDependencies(configuration, partsOf(options), options);
  // Begun here, beside what follows: a worker that is started anew should be polling as soon as it can.
  const connecting = connect(temporal);
  connecting.catch(() => undefined); // told below
  const schnorr = loadSchnorr();
  try {
    const connection = await connecting;
    if (schnorr === 'javascript')
      logger.warn(
        'signatures are made in JavaScript: WebAssembly cannot be used here, and each costs six to ten times as much',
      );
    const searchAttributes = await knowsSearchAttributes(connection, temporal.namespace, logger);
    const worker = await Worker.create({
      connection,
      namespace: temporal.namespace,
      taskQueue: configuration.taskQueue,
      ...workflowCode(options.workflowBundle, dataConverter),
      ...(dataConverter === undefined ? {} : { dataConverter }),
      activities: createActivities({
        ...dependencies,
        searchAttributes,
        ...(options.failpoint === undefined ? {} : { failpoint: options.failpoint }),
      }),
      interceptors: {
        activity: [namePageInLogs, ...(tracing === undefined ? [] : [tracing.activity])],
      },
      ...versioning(configuration),
      // Activities wait for others nearly all of their time. With few slots, some operators whose bunkers do
      // not answer would hold all of them.
      maxConcurrentActivityTaskExecutions: 1_000,
      // Cancellation travels on heartbeats: the default throttle would hold it up for most of a minute.
      maxHeartbeatThrottleInterval: Math.min(5_000, configuration.heartbeatTimeoutMs / 3),
      defaultHeartbeatThrottleInterval: Math.min(5_000, configuration.heartbeatTimeoutMs / 3),
      // After a worker died its cached workflows wait this long for it before any other may take them.
      stickyQueueScheduleToStartTimeout: '2 seconds',
      shutdownGraceTime: configuration.shutdownGraceMs,
      shutdownForceTime: configuration.shutdownGraceMs + SHUTDOWN_NOTICE_MS,
    });
    const opened = connection;
    return {
      async run() {
        try {
          await worker.run();
        } catch (error) {
          if (!isOnlyStillInUse(error)) throw error;
          // All is drained by then, and only the SDK's own record of the worker is left over.
          logger.warn('the SDK has not let go of the worker, which has drained and stopped');
        } finally {
          await opened.close().catch((error: unknown) => {
            if (!isOnlyStillInUse(error)) throw error;
          });
          await close();
        }
      },
      shutdown: () => worker.shutdown(),
      troubles: readinessOf({ worker, connection, database: dependencies.database }),
    };
  } catch (error) {
    await connecting.then(
      (connection) => connection.close(),
      () => undefined,
    );
    await close();
    throw error;
  }
}

export function partsOf({ documentTypes = shippedDocumentTypes, custom, source }: Partial<Parts>): Parts {
  return { documentTypes, custom, source };
}

/**
 * A race in the SDK (1.24.0): at the end of a drained worker one of its own tasks may still hold a reference
 * to it, and what follows from that for the connection.
 */
function isOnlyStillInUse(error: unknown): boolean {
  return (
    error instanceof IllegalStateError && /Worker still in use|Workers hold a reference/.test(error.message)
  );
}

async function connect({ connection, address }: TemporalConfiguration): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(connection);
  } catch (thrown) {
    throw new Error(
      `Temporal cannot be reached at ${address}: start it, or set TEMPORAL_ADDRESS (${ensureError(thrown).message})`,
      { cause: thrown },
    );
  }
}

/**
 * Asked once: a workflow that sets an attribute that its namespace does not know, or has of another type, can
 * go neither forward nor back.
 */
async function knowsSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  logger: Logger,
): Promise<boolean> {
  try {
    const { missing, mistyped } = await lookAtSearchAttributes(connection, namespace);
    if (missing.length + mistyped.length === 0) return true;
    logger.info(
      { missing, mistyped },
      'runs are not searchable: the namespace lacks search attributes (republish doctor)',
    );
  } catch (thrown) {
    // Without the right to ask, and where the operator's service is not offered.
    logger.info(
      { reason: ensureError(thrown).message },
      'runs are not searchable: the namespace does not say how',
    );
  }
  return false;
}

/**
 * Runs move to the newest build with their next task: they wait for people and bunkers for hours, so a build
 * that only finishes what it began would have to be kept running beside the new one for as long, and what a
 * new release mends would not reach the runs that need it. That it is safe is shown by replaying histories of
 * earlier releases (test/replay).
 */
function versioning(configuration: WorkerConfiguration): Pick<SdkWorkerOptions, 'workerDeploymentOptions'> {
  const { deployment } = configuration;
  const { buildId } = buildOf(configuration);
  // Also without versioning: otherwise the SDK writes a hash of the code beside each document in history,
  // which is long and tells nobody anything.
  const version = { deploymentName: deployment ?? PACKAGE, buildId };
  return {
    workerDeploymentOptions:
      deployment === undefined
        ? { version, useWorkerVersioning: false }
        : { version, useWorkerVersioning: true, defaultVersioningBehavior: 'AUTO_UPGRADE' },
  };
}

function workflowCode(bundle: WorkflowBundleOption | undefined, dataConverter: DataConverter | undefined) {
  if (bundle !== undefined) return { workflowBundle: bundle };
  const built = path.join(__dirname, 'workflow-bundle.js');
  // Converters, unlike codecs, run inside the workflows.
  const { payloadConverterPath, failureConverterPath } = dataConverter ?? {};
  const isOfItsOwn = payloadConverterPath !== undefined || failureConverterPath !== undefined;
  return !isOfItsOwn && existsSync(built)
    ? { workflowBundle: { codePath: built } }
    : { workflowsPath: require.resolve('../workflows/index') };
}
