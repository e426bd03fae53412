import { chmod, readFile } from 'node:fs/promises';
import { sleep } from '../../async/wait';
import { createDatabase } from '../../database/admin';
import { openDatabase } from '../../database/connection';
import { migrate } from '../../database/migrate';
import { type DurablePostgres, startDurablePostgres } from '../durable-postgres';
import { writePrivateFile } from '../private-file';
import { findTemporalServer } from '../temporal-server/find';
import { searchAttributeTypes, startTemporalServer, type TemporalServer } from '../temporal-server/start';
import { type DataFolder, DataFolderUnusable } from './folder';
import { identityOf, isRunning, type ProcessIdentity } from './process-identity';

const LEDGER = 'republish';
/** The guard of a process that was killed ends its servers within a moment, with SIGKILL after 5 s. */
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
  /** Resolves when one of them has ended by itself. */
  readonly lost = new Promise<void>((resolve) => (this.onLost = resolve));

  private constructor(
    private readonly folder: DataFolder,
    private readonly say: (text: string) => void,
  ) {}

  /** Starts Postgres, with the ledger as this release needs it. */
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

  /** Temporal, if it has been started. */
  runningTemporal(): Promise<TemporalServer> | undefined {
    return this.temporal;
  }

  /** Starts Temporal, unless it runs already. */
  async startTemporal(): Promise<TemporalServer> {
    this.temporal ??= this.launchTemporal();
    try {
      return await this.temporal;
    } catch (error) {
      this.temporal = undefined;
      throw error;
    }
  }

  /** Temporal first: it needs nothing of Postgres, and whoever asks it must not start what cannot be done. */
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
      // What takes no time is not told.
      onStep: (step) => step.startsWith('Downloading') && this.say(step),
    });
    const server = await startTemporalServer({
      executable: found.path,
      dbFilename: this.folder.temporalFile,
      durable: true,
      searchAttributes: searchAttributeTypes(),
      // Operators take turns at a busy worker (docs/fleet.md); this server does not by itself.
      dynamicConfig: { 'matching.enableFairness': 'true' },
    });
    this.watch('Temporal', server.exited);
    await this.record('temporal', server.pid);
    // It makes its file readable for others, and the log beside it like the file.
    for (const file of ['', '-wal', '-shm'].map((suffix) => this.folder.temporalFile + suffix))
      await chmod(file, 0o600).catch(() => undefined);
    return server;
  }

  private watch(name: string, exited: Promise<void>): void {
    void exited.then(() => {
      if (this.isStopping) return;
      this.say(`${name} of ${this.folder.path} has ended by itself`);
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
 * Waits for the servers of a process that was killed. Those that outlive it all the same, because their guard
 * was killed with it, are ended: the folder says which they are, and when they began, so that no other
 * process is meant.
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
