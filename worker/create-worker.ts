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

/** Default document types: the registry in documents/. */
export interface WorkerOptions extends Partial<Parts> {
  configuration: WorkerConfiguration;
  temporal: TemporalConfiguration;
  logger: Logger;
  /** Called for each run whose audit this worker writes. */
  onRunEnded?: ((run: EndedRun) => unknown) | undefined;
  /** Encodes and converts all payloads. It must be the one that callers use. Default: the SDK's. */
  dataConverter?: DataConverter | undefined;
  /**
   * Default: the bundle of `npm run build`. Without that file, or with a data converter that has code inside
   * the workflows, the workflows are bundled at start, which takes seconds.
   */
  workflowBundle?: WorkflowBundleOption;
  /** For the fault tests only: ends the process at a chosen place. No configuration sets it. */
  failpoint?: (name: Failpoint) => void;
  /** Counts what happens, for metrics. */
  telemetry?: Telemetry | undefined;
  /** Makes a span of each activity. */
  tracing?: Tracing | undefined;
}

export interface RepublishWorker {
  /** Polls until `shutdown()`. Resolves when the worker has drained and closed, rejects when it failed. */
  run(): Promise<void>;
  /** Takes no new work. Work in progress has the grace period to end. */
  shutdown(): void;
  /** Why the worker can take no work now. Empty: it can. */
  troubles(): Promise<string[]>;
}

/** After the grace period, documents in work are cancelled. They have this long to notice. */
const SHUTDOWN_NOTICE_MS = 10_000;

/**
 * Connects to Temporal and creates a worker that is ready to run. The ledger must be migrated before
 * (`untilReady`).
 *
 * @throws Error with the address, when Temporal cannot be reached
 */
export async function createRepublishWorker(options: WorkerOptions): Promise<RepublishWorker> {
  const { configuration, temporal, logger, tracing } = options;
  const dataConverter = withEncodedFailures(options.dataConverter);
  const { dependencies, close } = buildDependencies(configuration, partsOf(options), options);
  // Connects while the rest is prepared: a restarted worker should poll as soon as possible.
  const connecting = connect(temporal);
  connecting.catch(() => undefined); // reported below
  const schnorr = loadSchnorr();
  try {
    const connection = await connecting;
    if (schnorr === 'javascript')
      logger.warn(
        'signatures are made in JavaScript: WebAssembly cannot be used here, and each costs six to ten ' +
          'times as much',
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
      // Activities mostly wait for bunkers and relays. With few slots, a few operators whose bunkers do not
      // answer would hold all of them.
      maxConcurrentActivityTaskExecutions: 1_000,
      // Cancellation arrives with a heartbeat. The default throttle would delay it for most of a minute.
      maxHeartbeatThrottleInterval: Math.min(5_000, configuration.heartbeatTimeoutMs / 3),
      defaultHeartbeatThrottleInterval: Math.min(5_000, configuration.heartbeatTimeoutMs / 3),
      // When a worker dies, its cached workflows wait this long for it before another worker takes them.
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
          // The worker has drained by then. Only the SDK's own record of it is left.
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

export function partsOf({ documentTypes = shippedDocumentTypes, ...parts }: Partial<Parts>): Parts {
  const { custom, source, operatorsFrom } = parts;
  return { documentTypes, custom, source, operatorsFrom };
}

/**
 * A race in the SDK (1.24.0): after a worker has drained, one of the SDK's own tasks may still hold a
 * reference to it. Closing the connection then fails, too.
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
      `Temporal cannot be reached at ${address}: start it, or set TEMPORAL_ADDRESS ` +
        `(${ensureError(thrown).message})`,
      { cause: thrown },
    );
  }
}

/**
 * Asked once. A workflow that sets a search attribute that the namespace does not have, or has with another
 * type, cannot continue.
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
    // This client has no right to ask, or the server has no OperatorService (Temporal's gRPC service).
    logger.info(
      { reason: ensureError(thrown).message },
      'runs are not searchable: the namespace does not say how',
    );
  }
  return false;
}

/**
 * Runs move to the newest build with their next task. A run can wait for a person for hours: an old build
 * would have to run next to the new one for as long, and the fixes of a release would not reach the runs that
 * need them. Replaying the histories of earlier releases (test/replay) shows that the move is safe.
 */
function versioning(configuration: WorkerConfiguration): Pick<SdkWorkerOptions, 'workerDeploymentOptions'> {
  const { deployment } = configuration;
  const { buildId } = buildOf(configuration);
  // Set without versioning, too. Otherwise the SDK writes a long hash of the code into each event of the
  // history.
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
