import { existsSync } from 'node:fs';
import path from 'node:path';
import { NativeConnection, Worker, type WorkflowBundleOption } from '@temporalio/worker';
import type { Logger } from 'pino';
import { createActivities } from '../activities/create-activities';
import type { Failpoint } from '../activities/failpoints';
import type { TemporalConfiguration } from '../configuration/temporal';
import { ensureError } from '../contract/failures';
import { SEARCH_ATTRIBUTES } from '../contract/names';
import { migrate } from '../database/migrate';
import type { DocumentType } from '../documents/document-type';
import { documentTypes as shippedDocumentTypes } from '../documents/registry';
import { loadSchnorr } from '../nostr/schnorr';
import { buildDependencies, type WorkerConfiguration } from './build-dependencies';

export interface WorkerOptions {
  configuration: WorkerConfiguration;
  temporal: TemporalConfiguration;
  logger: Logger;
  /** Default: the registry in documents/. */
  documentTypes?: readonly DocumentType[];
  /** Default: the bundle that `npm run build` made; without one the workflows are bundled at start. */
  workflowBundle?: WorkflowBundleOption;
  /** For the fault tests alone: ends the process at a place of their choice. No configuration leads here. */
  failpoint?: (name: Failpoint) => void;
}

export interface RepublishWorker {
  /** Polls until `shutdown()`; resolves when all is drained and closed, rejects when the worker failed. */
  run(): Promise<void>;
  /** Takes no new work, lets what is in work end within the grace period. */
  shutdown(): void;
}

/** How long documents in work may go on after a shutdown was asked for, and until they are given up. */
const SHUTDOWN_GRACE_MS = 20_000;
const SHUTDOWN_FORCE_MS = 30_000;

/**
 * Migrates the database, connects to Temporal and makes a worker that is ready to run.
 *
 * @throws Error naming the address, when Temporal cannot be reached; RepublishError for the database
 */
export async function createRepublishWorker(options: WorkerOptions): Promise<RepublishWorker> {
  const { configuration, temporal, logger } = options;
  const { dependencies, close } = buildDependencies(
    configuration,
    options.documentTypes ?? shippedDocumentTypes,
    logger,
  );
  // Side by side: a worker that is started anew should be polling as soon as it can.
  const schnorr = loadSchnorr();
  const connecting = connect(temporal);
  connecting.catch(() => undefined); // told below
  try {
    const { applied } = await migrate(dependencies.database);
    if (applied.length > 0) logger.info({ applied }, 'the database schema was brought up to date');
    const connection = await connecting;
    if ((await schnorr) === 'javascript')
      logger.warn(
        'signatures are made in JavaScript: WebAssembly cannot be used here, and each costs six times as much',
      );
    const searchAttributes = await knowsSearchAttributes(connection, temporal.namespace, logger);
    const worker = await Worker.create({
      connection,
      namespace: temporal.namespace,
      taskQueue: configuration.taskQueue,
      ...workflowCode(options.workflowBundle),
      activities: createActivities({
        ...dependencies,
        searchAttributes,
        ...(options.failpoint === undefined ? {} : { failpoint: options.failpoint }),
      }),
      // Activities wait for others nearly all of their time. With few slots, some operators whose bunkers do not answer
      // would hold all of them.
      maxConcurrentActivityTaskExecutions: 1_000,
      // Cancellation travels on heartbeats: the default throttle would hold it up for most of a minute.
      maxHeartbeatThrottleInterval: Math.min(5_000, configuration.heartbeatTimeoutMs / 3),
      defaultHeartbeatThrottleInterval: Math.min(5_000, configuration.heartbeatTimeoutMs / 3),
      // After a worker died its cached workflows wait this long for it before any other may take them.
      stickyQueueScheduleToStartTimeout: '5 seconds',
      shutdownGraceTime: SHUTDOWN_GRACE_MS,
      shutdownForceTime: SHUTDOWN_FORCE_MS,
    });
    const opened = connection;
    return {
      async run() {
        try {
          await worker.run();
        } finally {
          await opened.close();
          await close();
        }
      },
      shutdown: () => worker.shutdown(),
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

/** Asked once: a workflow that sets an attribute that its namespace does not know can go neither forward nor back. */
async function knowsSearchAttributes(
  connection: NativeConnection,
  namespace: string,
  logger: Logger,
): Promise<boolean> {
  const names = Object.values(SEARCH_ATTRIBUTES);
  try {
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    const missing = names.filter((name) => customAttributes?.[name] === undefined);
    if (missing.length === 0) return true;
    logger.info(
      { missing },
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

function workflowCode(bundle: WorkflowBundleOption | undefined) {
  if (bundle !== undefined) return { workflowBundle: bundle };
  const built = path.join(__dirname, 'workflow-bundle.js');
  return existsSync(built)
    ? { workflowBundle: { codePath: built } }
    : { workflowsPath: require.resolve('../workflows/index') };
}
