import { randomBytes, randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import pino from 'pino';
import { startRepublish, type StartOptions } from '../../client/start';
import { addBunkerSigner, addLocalSigner } from '../../pairing/signers';
import { loadConfiguration } from '../../configuration/load';
import { createDatabase, dropDatabase } from '../../database/admin';
import { auditsOfOperator, type WrittenAuditRow } from '../../database/audit';
import { type Database, openDatabase } from '../../database/connection';
import { migrate } from '../../database/migrate';
import { deleteSigner } from '../../database/signers';
import { type DocumentRow, documentsOfRun } from '../../database/ledger/documents';
import { type BunkerOptions, type DevBunker, startBunker } from '../../dev/bunker';
import { type DevRelay, startRelay } from '../../dev/relay';
import { createLnbitsTables, seedOperator, type SeededMachine } from '../../dev/seed';
import type { DocumentType } from '../../documents/document-type';
import type { SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import { createRepublishWorker, type RepublishWorker } from '../../worker/create-worker';
import { installRuntime } from '../../worker/logging';
import { type WorkerConfiguration, workerConfiguration } from '../../assembly/worker-configuration';
import { REAL } from './real-timings';
import { testServers } from './servers';
import { runWorkflowsInThisThread } from './workflow-threads';

runWorkflowsInThisThread();

/** A database, relays and a task queue of a test file's own, on the shared servers. */
export interface Saga {
  database: Database;
  databaseUrl: string;
  relays: DevRelay[];
  client: Client;
  /** What a child process needs: the worker, the command line, the Python example. */
  env: Record<string, string>;
  /** Every line the workers of this process have logged. */
  logs: string[];
  configuration(overrides?: Record<string, string>): WorkerConfiguration;
  /** Starts a worker in this process; stopped with the saga unless it is stopped before. */
  startWorker(options?: SagaWorkerOptions): Promise<{ stop(): Promise<void> }>;
  /** An operator with a paired bunker whose user key is the account's. */
  addOperator(options?: { machines?: number; bunker?: Partial<BunkerOptions> }): Promise<SagaOperator>;
  /** Pairs the operator's bunker once more, with another client key. */
  pairAnew(operator: SagaOperator): Promise<void>;
  /** Has the bunker sign an event of the operator's, and puts it on every relay, past us. */
  publishAs(operator: SagaOperator, createdAtS: number, tags: string[][]): Promise<SignedEvent>;
  /** An operator whose key is held here. */
  addLocalOperator(options: {
    machines?: number;
    secretKeyHex: string;
    pubkey: string;
  }): Promise<Omit<SagaOperator, 'bunker'>>;
  start(operatorUserId: string, input?: Omit<StartOptions, 'taskQueue'>): ReturnType<typeof startRepublish>;
  audits(operatorUserId: string): Promise<WrittenAuditRow[]>;
  ledger(runId: string): Promise<DocumentRow[]>;
  /** How many attempts at each page of a run there were. */
  attempts(runId: string): Promise<number[]>;
  onStop(stop: () => unknown): void;
  stop(): Promise<void>;
}

export interface SagaWorkerOptions {
  env?: Record<string, string>;
  documentTypes?: readonly DocumentType[];
  bundlePath?: string;
}

export interface SagaOperator {
  id: string;
  machines: SeededMachine[];
  bunker: DevBunker;
}

/**
 * Bounds that fit a test: what fails for good does so within seconds. With the times of the field nothing is
 * set.
 */
const SHORT_BOUNDS = {
  // Where a silence is what is tested, the test says how long it is waited for. A process that gets no CPU for
  // some seconds is not silent.
  REPUBLISH_BUNKER_TIMEOUT_MS: '6000',
  REPUBLISH_RELAY_TIMEOUT_MS: '10000',
  REPUBLISH_RETRY_INTERVAL_MS: '100',
  REPUBLISH_HEARTBEAT_TIMEOUT_MS: '6000',
  // A document that meets with trouble is tried three times at the least.
  REPUBLISH_DOCUMENT_TIMEOUT_MS: '1000',
};

/** What the SDK and the workers of this test file have logged; one runtime serves all of them. */
const logs: string[] = [];
const logger = pino({ level: 'debug' }, { write: (line: string) => void logs.push(line) });
let runtimeInstalled = false;

export interface SagaOptions {
  relays?: number;
  /** Another Temporal server than the shared one, for tests that kill it. */
  temporalAddress?: string;
  /** Another Postgres than the shared one (a URL with a superuser), for tests that stop it. */
  postgresUrl?: string;
}

export async function startSaga(options: SagaOptions = {}): Promise<Saga> {
  const { bundlePath, ...shared } = testServers();
  const { relays: relayCount = 1, temporalAddress = shared.temporalAddress } = options;
  const postgresUrl = options.postgresUrl ?? shared.postgresUrl;
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const template = options.postgresUrl === undefined ? 'template_lnbits' : undefined;
  const databaseUrl = await createDatabase(postgresUrl, name, template);
  const database = openDatabase({ url: databaseUrl });
  if (template === undefined) {
    await createLnbitsTables(database);
    await migrate(database);
  }
  const relays = await Promise.all(Array.from({ length: relayCount }, () => startRelay()));
  const connection = await Connection.connect({ address: temporalAddress });
  const client = new Client({ connection });
  const taskQueue = `test-${name}`;
  const env: Record<string, string> = {
    TEMPORAL_ADDRESS: temporalAddress,
    DATABASE_URL: databaseUrl,
    REPUBLISH_RELAYS: relays.map(({ url }) => url).join(','),
    REPUBLISH_SECRETS_KEY: randomBytes(32).toString('hex'),
    REPUBLISH_TASK_QUEUE: taskQueue,
    ...(REAL ? {} : SHORT_BOUNDS),
  };
  const stops: (() => unknown)[] = [];

  const saga: Saga = {
    database,
    databaseUrl,
    relays,
    client,
    env,
    logs,
    configuration(overrides = {}) {
      return workerConfiguration(
        loadConfiguration({
          env: { ...env, ...overrides },
          needs: ['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey'],
        }),
      );
    },
    async startWorker(options = {}) {
      // Not before there is a worker: a runtime that nothing uses is not shut down, and keeps the process
      // alive.
      if (!runtimeInstalled) installRuntime(logger);
      runtimeInstalled = true;
      const worker = await createRepublishWorker({
        configuration: saga.configuration(options.env),
        temporal: {
          connection: { address: temporalAddress },
          namespace: 'default',
          address: temporalAddress,
        },
        logger,
        ...(options.documentTypes ? { documentTypes: options.documentTypes } : {}),
        workflowBundle: { codePath: options.bundlePath ?? bundlePath },
      });
      const handle = runUntilStopped(worker);
      stops.push(() => handle.stop());
      return handle;
    },
    async addOperator({ machines = 2, bunker: bunkerOptions = {} } = {}) {
      const id = `op-${randomUUID().slice(0, 8)}`;
      const bunker = await startBunker({ relays: [relays[0]?.url ?? ''], ...bunkerOptions });
      stops.push(() => bunker.stop());
      const seeded = await seedOperator(database, { id, pubkey: bunker.userPubkey, machines });
      await addBunkerSigner(signerContext(id), bunker.uri());
      return { id, machines: seeded, bunker };
    },
    async pairAnew({ id, bunker }) {
      await deleteSigner(database, id);
      bunker.admitAnew();
      await addBunkerSigner(signerContext(id), bunker.uri());
    },
    async publishAs({ bunker }, createdAtS, tags) {
      const event = bunker.signAsUser({ kind: 30078, created_at: createdAtS, tags, content: 'theirs' });
      for (const { url } of relays) {
        const connection = await RelayConnection.open({ url, connectTimeoutMs: 5_000 });
        const reply = await connection.publish(event, 5_000);
        connection.close();
        if (reply.kind !== 'ok' || !reply.accepted)
          throw new Error(`${url} did not take it: ${JSON.stringify(reply)}`);
      }
      return event;
    },
    async addLocalOperator({ machines = 2, secretKeyHex, pubkey }) {
      const id = `op-${randomUUID().slice(0, 8)}`;
      const seeded = await seedOperator(database, { id, pubkey, machines });
      await addLocalSigner(signerContext(id), secretKeyHex);
      return { id, machines: seeded };
    },
    start: (operatorUserId, input = {}) => startRepublish(client, operatorUserId, { taskQueue, ...input }),
    audits: (operatorUserId) => auditsOfOperator(database, operatorUserId, 100),
    ledger: (runId) => documentsOfRun(database, runId),
    attempts: async (runId) =>
      (
        await database.query<{ holder: number }>(
          'SELECT holder FROM republish.pages WHERE run_id = $1 ORDER BY page',
          [runId],
        )
      ).map(({ holder }) => holder),
    onStop: (stop) => void stops.push(stop),
    async stop() {
      for (const stop of stops.splice(0).reverse()) await stop();
      await connection.close();
      await Promise.all(relays.map((relay) => relay.stop()));
      await database.close();
      await dropDatabase(postgresUrl, name);
    },
  };
  const signerContext = (operatorUserId: string) => ({
    database,
    // Pairing is not what is tested: a busy machine must not end it.
    configuration: saga.configuration({ REPUBLISH_BUNKER_TIMEOUT_MS: '20000' }),
    operatorUserId,
    say: () => undefined,
  });
  return saga;
}

/** Runs a worker; stopping it twice is stopping it once. */
function runUntilStopped(worker: RepublishWorker): { stop(): Promise<void> } {
  const running = worker.run();
  let stopping: Promise<void> | undefined;
  return {
    stop() {
      if (stopping === undefined) {
        worker.shutdown();
        stopping = running;
      }
      return stopping;
    },
  };
}
