import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DEFAULT_TASK_QUEUE } from '../contract/names';
import { type Database, openDatabase } from '../database/connection';
import { migrate } from '../database/migrate';
import { type RunningPostgres, startPostgres } from '../embedded/postgres';
import { type DevRelay, startRelay } from './relay';
import { createLnbitsTables } from './seed';
import { findTemporalServer } from '../embedded/temporal-server/find';
import {
  searchAttributeTypes,
  startTemporalServer,
  type TemporalServer,
} from '../embedded/temporal-server/start';

export interface DevStack {
  temporal: TemporalServer;
  postgres: RunningPostgres;
  relay: DevRelay;
  /** With LNbits' tables and the ledger. */
  database: Database;
  /** Environment variables for a worker, a client or a shell. */
  env: Record<string, string>;
  /** `stop` calls it before it stops the servers. The last one that was registered is called first. */
  onStop(stop: () => unknown): void;
  stop(): Promise<void>;
}

export interface StackOptions {
  /** Called with a message for each step that takes a while. */
  onStep?: (message: string) => void;
}

/**
 * Starts Temporal, Postgres and a relay on free ports. If one of them does not start, it stops the others.
 */
export async function startStack({ onStep = () => undefined }: StackOptions = {}): Promise<DevStack> {
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const next of stops.splice(0).reverse()) {
      // After a failure the others must be stopped too.
      await Promise.resolve()
        .then(next)
        .catch((error: unknown) => onStep(`could not stop cleanly: ${String(error)}`));
    }
  };
  try {
    const [temporal, postgres, relay] = await allOrNothing([
      startTemporal(stops, onStep),
      startPostgres().then((started) => (stops.push(() => started.stop()), started)),
      startRelay().then((started) => (stops.push(() => started.stop()), started)),
    ]);
    const databaseUrl = await postgres.createDatabase('lnbits');
    const database = openDatabase({ url: databaseUrl });
    stops.push(() => database.close());
    await createLnbitsTables(database);
    await migrate(database);
    const env = {
      TEMPORAL_ADDRESS: temporal.address,
      DATABASE_URL: databaseUrl,
      // Without this, the value of the person's shell would apply, which may be a real LNbits.
      LNBITS_DATABASE_URL: databaseUrl,
      REPUBLISH_RELAYS: relay.url,
      REPUBLISH_SECRETS_KEY: randomBytes(32).toString('hex'),
      REPUBLISH_TASK_QUEUE: DEFAULT_TASK_QUEUE,
    };
    return { temporal, postgres, relay, database, env, onStop: (next) => stops.push(next), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startTemporal(
  stops: (() => unknown)[],
  onStep: (message: string) => void,
): Promise<TemporalServer> {
  const found = await findTemporalServer({ onStep });
  const directory = await mkdtemp(path.join(tmpdir(), 'republish-temporal-'));
  stops.push(() => rm(directory, { recursive: true, force: true }));
  const server = await startTemporalServer({
    executable: found.path,
    // On disk: tests kill the server and start it again with its data.
    dbFilename: path.join(directory, 'temporal.db'),
    searchAttributes: searchAttributeTypes(),
    // Operators of a fleet take turns at a busy worker (docs/fleet.md). The dev server needs this setting for
    // it.
    dynamicConfig: { 'matching.enableFairness': 'true' },
  });
  stops.push(() => server.stop());
  return server;
}

/** Waits for all, also when one fails: only then is every started server in `stops`. */
async function allOrNothing<T extends unknown[]>(starting: { [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const settled = await Promise.allSettled(starting);
  const failed = settled.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as T;
}
