import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomBytes, randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { type RepublishRun, startRepublish } from '../client';
import { loadConfiguration } from '../configuration/load';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { type Database, openDatabase } from '../database/connection';
import { migrate } from '../database/migrate';
import { startPostgres } from '../embedded/postgres';
import { createLnbitsTables, seedOperator } from '../dev/seed';
import { findTemporalServer } from '../embedded/temporal-server/find';
import { searchAttributeTypes, startTemporalServer } from '../embedded/temporal-server/start';
import { startWorkerProcess } from '../embedded/worker-process';
import type { ProcessGroup } from '../embedded/process-group';
import { addBunkerSigner } from '../pairing/signers';
import type { BunkerArguments, BunkerCounts } from './bunker';
import { type Child, startChild } from './child';
import type { Parts } from './process-facts';
import type { RelayCounts } from './relay';

/** The bunker as its clients need it. */
export interface BunkerKeys {
  signerPubkey: string;
  userPubkey: string;
}

/**
 * One bunker, one relay, one Postgres and one Temporal for all measurements. Each is a process of its own.
 */
export interface World {
  database: Database;
  databaseUrl: string;
  client: Client;
  relayUrl: string;
  bunker: BunkerKeys;
  /** Sets the latency of the bunker. */
  setLatency(latencyMs: number): Promise<void>;
  /** Starts another bunker. */
  addBunker(latencyMs: number): Promise<BunkerKeys>;
  /** @param bunker default: the bunker of the bench */
  addOperator(machines: number, bunker?: BunkerKeys): Promise<string>;
  /** @param inFlight undefined: REPUBLISH_BUNKER_CONCURRENCY is not set */
  startWorker(inFlight: number | undefined, env?: Record<string, string>): Promise<ProcessGroup>;
  start(operatorUserId: string): Promise<RepublishRun>;
  /**
   * All current processes except the bench itself, which only waits. Together they are the cost of a
   * document.
   */
  parts(): Parts;
  /** The requests to the bunker of the bench since its latency was set. */
  askedOfBunker(): Promise<BunkerCounts>;
  askedOfRelay(): Promise<RelayCounts>;
  stop(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const next of stops.splice(0).reverse()) await next();
  };
  try {
    return await build(stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(stops: (() => unknown)[], stop: () => Promise<void>): Promise<World> {
  const postgres = await startPostgres();
  stops.push(() => postgres.stop());
  const databaseUrl = await postgres.createDatabase('lnbits');
  const database = openDatabase({ url: databaseUrl });
  stops.push(() => database.close());
  await createLnbitsTables(database);
  await migrate(database);

  const directory = await mkdtemp(path.join(tmpdir(), 'republish-bench-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  const temporal = await startTemporalServer({
    executable: (await findTemporalServer({})).path,
    dbFilename: path.join(directory, 'temporal.db'),
    searchAttributes: searchAttributeTypes(),
    headless: true,
    // The bench also measures the fairness between operators (docs/fleet.md).
    dynamicConfig: { 'matching.enableFairness': 'true' },
  });
  stops.push(() => temporal.stop());
  const connection = await Connection.connect({ address: temporal.address });
  stops.push(() => connection.close());
  const client = new Client({ connection });

  const relay = await startChild<{ url: string }>('relay');
  stops.push(() => relay.stop('SIGKILL', 1_000));
  const newKeys = () => ({
    userSecretKey: randomBytes(32).toString('hex'),
    signerSecretKey: randomBytes(32).toString('hex'),
  });
  const keys = newKeys();
  const startBunker = (latencyMs: number, ofKeys = keys): Promise<Child<BunkerKeys>> =>
    startChild<BunkerKeys>('bunker', {
      relay: relay.facts.url,
      latencyMs,
      ...ofKeys,
    } satisfies BunkerArguments);
  let bunker = await startBunker(0);
  stops.push(() => bunker.stop('SIGKILL', 1_000));
  const otherBunkers: Child<BunkerKeys>[] = [];
  const workers = new Set<ProcessGroup>();

  const env: Record<string, string> = {
    TEMPORAL_ADDRESS: temporal.address,
    DATABASE_URL: databaseUrl,
    REPUBLISH_RELAYS: relay.facts.url,
    REPUBLISH_SECRETS_KEY: randomBytes(32).toString('hex'),
    REPUBLISH_TASK_QUEUE: DEFAULT_TASK_QUEUE,
    REPUBLISH_LOG_LEVEL: 'info',
  };
  return {
    database,
    databaseUrl,
    client,
    relayUrl: relay.facts.url,
    bunker: bunker.facts,
    async setLatency(latencyMs) {
      await bunker.stop('SIGKILL', 1_000);
      bunker = await startBunker(latencyMs);
    },
    async addBunker(latencyMs) {
      const another = await startBunker(latencyMs, newKeys());
      otherBunkers.push(another);
      stops.push(() => another.stop('SIGKILL', 1_000));
      return another.facts;
    },
    async addOperator(machines, at = bunker.facts) {
      const id = `op-${randomUUID().slice(0, 8)}`;
      await seedOperator(database, { id, pubkey: at.userPubkey, machines });
      const configuration = loadConfiguration({ env, needs: ['databaseUrl', 'relays', 'secretsKey'] });
      const uri = `bunker://${at.signerPubkey}?relay=${encodeURIComponent(relay.facts.url)}&secret=bench`;
      await addBunkerSigner({ database, configuration, operatorUserId: id, say: () => undefined }, uri);
      return id;
    },
    async startWorker(inFlight, more = {}) {
      const worker = await startWorkerProcess({
        ...env,
        ...(inFlight === undefined ? {} : { REPUBLISH_BUNKER_CONCURRENCY: String(inFlight) }),
        ...more,
      });
      workers.add(worker);
      void worker.exited.then(() => workers.delete(worker));
      return worker;
    },
    start: (operatorUserId) => startRepublish(client, operatorUserId, { taskQueue: DEFAULT_TASK_QUEUE }),
    parts: () => ({
      worker: [...workers].map(({ pid }) => pid),
      Temporal: [temporal.pid],
      Postgres: [postgres.pid],
      relay: [relay.pid],
      bunker: [bunker, ...otherBunkers].map(({ pid }) => pid),
    }),
    askedOfBunker: () => bunker.counted<BunkerCounts>(),
    askedOfRelay: () => relay.counted<RelayCounts>(),
    stop,
  };
}
