import { chmod, readFile } from 'node:fs/promises';
import { sleep } from '../../async/wait';
import { createDatabase } from '../../database/admin';
import { openDatabase } from '../../database/connection';
import { migrate } from '../../database/migrate';
import { type DurablePostgres, startDurablePostgres } from '../durable-postgres';
import { writePrivateFile } from '../private-file';
import { findTemporalServer } from '../temporal-server/find';
import type { TemporalServer } from '../temporal-server/start';
import { type DataFolder, DataFolderUnusable } from './folder';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity';

const LEDGER = 'republish';
/** Longer than the guard of a killed process needs to end its servers: it sends SIGKILL after 5 s. */
const ORPHANS_TIMEOUT_MS = 12_000;
const POLL_MS = 100;

interface Recorded extends ProcessIdentity {
  server: 'postgres' | 'temporal';
}

/** The servers of a data folder, in the process that owns it. */
export class FolderServers {
  private postgres: DurablePostgres | undefined;
  private temporal: Promise<TemporalServer> | undefined;
  private recorded: Recorded[] = [];
  private isStopping = false;
  private onLost: () => void = () => undefined;
  /** Resolves when a server has ended without `stop`. */
  readonly lost = new Promise<void>((resolve) => (this.onLost = resolve));

  private constructor(
    private readonly folder: DataFolder,
    private readonly say: (text: string) => void,
  ) {}

  /** Starts Postgres and migrates the ledger. */
  static async start(folder: DataFolder, say: (text: string) => void): Promise<FolderServers> {
    const servers = new FolderServers(folder, say);
    await endOrphans(folder, say);
    try {
      await servers.startPostgres();
      return servers;
    } catch (error) {
      await servers.stop();
      throw error;
    }
  }

  get databaseUrl(): string {
    const url = new URL((this.postgres as DurablePostgres).url);
    url.pathname = `/${LEDGER}`;
    return url.toString();
  }

  /** Undefined: Temporal has not been started. */
  runningTemporal(): Promise<TemporalServer> | undefined {
    return this.temporal;
  }

  /** Starts Temporal, unless it is running. */
  async startTemporal(): Promise<TemporalServer> {
    this.temporal ??= this.launchTemporal();
    try {
      return await this.temporal;
    } catch (error) {
      this.temporal = undefined;
      throw error;
    }
  }

  /** Stops Temporal first: otherwise workers would start work that needs the stopped Postgres. */
  async stop(): Promise<void> {
    this.isStopping = true;
    const temporal = await this.temporal?.catch(() => undefined);
    await temporal?.stop();
    await this.postgres?.stop();
  }

  private async startPostgres(): Promise<void> {
    const { postgresDir: dataDir, postgresPasswordFile: passwordFile } = this.folder;
    this.postgres = await startDurablePostgres({ dataDir, passwordFile });
    this.watch('Postgres', this.postgres.exited);
    await this.record('postgres', this.postgres.pid);
    await createDatabase(this.postgres.url, LEDGER).catch((error: unknown) => {
      if (!/already exists/.test(String(error))) throw error;
    });
    const database = openDatabase({ url: this.databaseUrl, maxConnections: 1 });
    try {
      await migrate(database);
    } finally {
      await database.close();
    }
  }

  private async launchTemporal(): Promise<TemporalServer> {
    const found = await findTemporalServer({
      // Only a download takes long enough for a message.
      onStep: (step) => step.startsWith('Downloading') && this.say(step),
    });
    // Loaded here, with Temporal's client: commands that need no Temporal start in half of the time.
    const { searchAttributeTypes, startTemporalServer } = await import('../temporal-server/start.js');
    const server = await startTemporalServer({
      executable: found.path,
      dbFilename: this.folder.temporalFile,
      durable: true,
      searchAttributes: searchAttributeTypes(),
      // Operators of a fleet take turns at a busy worker (docs/fleet.md). The dev server needs this setting
      // for it.
      dynamicConfig: { 'matching.enableFairness': 'true' },
    });
    this.watch('Temporal', server.exited);
    await this.record('temporal', server.pid);
    // The server creates its file, and SQLite's files next to it, readable for other users.
    for (const file of ['', '-wal', '-shm'].map((suffix) => this.folder.temporalFile + suffix))
      await chmod(file, 0o600).catch(() => undefined);
    return server;
  }

  private watch(name: string, exited: Promise<void>): void {
    void exited.then(() => {
      if (this.isStopping) return;
      this.say(`${name} of ${this.folder.path} has ended unexpectedly`);
      this.onLost();
    });
  }

  private async record(server: Recorded['server'], pid: number): Promise<void> {
    const identity = identityOf(pid);
    if (identity === undefined) return;
    this.recorded = [...this.recorded.filter((each) => each.server !== server), { server, ...identity }];
    await writePrivateFile(this.folder.serversFile, JSON.stringify(this.recorded));
  }
}

/**
 * Waits until the servers of a killed process have ended. If the guard was killed too, they continue, and
 * this function ends them. `serversFile` has their pids and start times, so no other process can be meant.
 */
async function endOrphans(folder: DataFolder, say: (text: string) => void): Promise<void> {
  const left = (await recordedIn(folder)).filter(isRunning);
  if (left.length === 0) return;
  say('the servers of a process that was killed are still ending');
  if (await haveEnded(left)) return;
  for (const { server, pid } of left.filter(isRunning)) {
    say(`ending ${server} (pid ${pid}), which nobody owns any more`);
    process.kill(pid, server === 'postgres' ? 'SIGQUIT' : 'SIGKILL');
  }
  if (await haveEnded(left)) return;
  const [still] = left.filter(isRunning);
  throw new DataFolderUnusable(
    `a server of an earlier process (pid ${still?.pid}) does not end: end it, and try again`,
  );
}

async function recordedIn({ serversFile }: DataFolder): Promise<Recorded[]> {
  try {
    return JSON.parse(await readFile(serversFile, 'utf8')) as Recorded[];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function haveEnded(processes: ProcessIdentity[]): Promise<boolean> {
  for (const deadlineMs = Date.now() + ORPHANS_TIMEOUT_MS; Date.now() < deadlineMs;) {
    if (!processes.some(isRunning)) return true;
    await sleep(POLL_MS);
  }
  return false;
}
