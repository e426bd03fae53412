import type { Command } from 'commander';
import type { DataSettings } from '../../configuration/data';
import type { Configuration } from '../../configuration/schema';
import type { NoDataFolder } from '../../embedded/data-folder/folder';
import type { JoinedFolder } from '../../embedded/data-folder/join';
import type { WorkerSettings } from '../../embedded/data-folder/worker-settings';
import type { KeptWorker } from '../../embedded/keep-worker';
import { EXIT } from './exit-codes';
import { explain, UsageError } from './fail';
import { say } from './output';
import { closeLiveRegion, sayAbove } from './terminal/live-region';
import { setDataFolder } from './command-lines';

/** What a command does with a data folder. */
interface Use {
  /** It starts Temporal, too, not only Postgres. */
  temporal: boolean;
  /** `helps`: the command shows less without one. */
  worker: 'needed' | 'helps' | 'no';
  /**
   * `made`: the command makes the folder if it does not exist. `required`: it only reads what is there, and a
   * new folder would hide a mistyped path. `examined`: as `required`, but the command itself says what is
   * missing.
   */
  folder: 'made' | 'required' | 'examined';
}

const LOOKS: Use = { temporal: false, worker: 'no', folder: 'required' };
const SETS_UP: Use = { ...LOOKS, folder: 'made' };
const A_RUN: Use = { temporal: true, worker: 'needed', folder: 'made' };
/** These send queries and updates, which a worker answers. */
const OF_A_RUN: Use = { temporal: true, worker: 'helps', folder: 'required' };
const WITH_TEMPORAL: Use = { ...LOOKS, temporal: true };

/** Every other command only looks. `up` starts the servers itself, and makes the folder. */
const USES: Record<string, Use> = {
  start: A_RUN,
  'fleet start': A_RUN,
  'signer add': SETS_UP,
  migrate: SETS_UP,
  doctor: { ...LOOKS, folder: 'examined' },
  worker: WITH_TEMPORAL,
  end: WITH_TEMPORAL,
  'fleet end': WITH_TEMPORAL,
  report: WITH_TEMPORAL,
  ...Object.fromEntries(
    ['watch', 'status', 'pause', 'resume', 'retry', 'skip', 'cancel'].map((name) => [name, OF_A_RUN]),
  ),
  ...Object.fromEntries(['status', 'pause', 'resume', 'cancel'].map((name) => [`fleet ${name}`, OF_A_RUN])),
};

/** These commands have their own servers, or need none. */
const WITHOUT_DATA = ['dev', 'demo', 'completion'];

export function takesData(command: Command): boolean {
  return !WITHOUT_DATA.includes(pathOf(command));
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** The part of a data folder that this process runs. */
interface InUse {
  joined: JoinedFolder;
  worker?: KeptWorker;
}
let inUse: InUse | undefined;
let missing: NoDataFolder | undefined;

/** Why the data folder of this call cannot be examined. Undefined: there is one, or none was given. */
export function missingDataFolder(): NoDataFolder | undefined {
  return missing;
}

const NO_SERVERS_THAT_STAY =
  '--no-wait needs servers that stay when this command ends: keep them with "republish up", or leave --no-wait out';

/** Starts the servers that a command needs, when it is called with a data folder, and configures them. */
export async function enterDataFolder(command: Command): Promise<void> {
  const name = pathOf(command);
  const { data } = command.optsWithGlobals<{ data?: string }>();
  if (!takesData(command)) {
    if (data !== undefined) throw new UsageError(`--data is of no use to ${name}, which keeps nothing`);
    return;
  }
  // Such as "$FOLDER" without a value. The command would use the servers of the configuration.
  if (data === '') throw new UsageError('--data is empty: name a folder');
  const settings = await dataSettingsOf(data);
  // `up` starts the servers itself.
  if (settings === undefined || name === 'up') return;
  if (data !== undefined) setDataFolder(data);
  const needed = USES[name] ?? LOOKS;
  endInOrderOnSignals();
  const doesNotWait = needed.worker === 'needed' && command.opts<{ wait?: boolean }>().wait === false;
  const joined = await join(settings.directory, needed, doesNotWait);
  if (joined === undefined) return;
  await useJoined(joined, settings);
  if (joined.differing.length > 0) sayOtherWorker(joined.differing);
  if (needed.worker === 'no' || joined.runBy === 'up') return;
  if (doesNotWait) throw new UsageError(NO_SERVERS_THAT_STAY);
  await startOwnWorker(joined, needed.worker === 'needed');
}

/** @returns undefined: there is no folder, which the command itself reports. @throws DataFolderUnusable */
async function join(directory: string, needed: Use, doesNotWait: boolean): Promise<JoinedFolder | undefined> {
  const { joinDataFolder } = await import('../../embedded/data-folder/join.js');
  const { NoDataFolder } = await import('../../embedded/data-folder/folder.js');
  const options = {
    role: 'command',
    temporal: needed.temporal,
    say: sayAbove,
    settings: await workerSettings(),
  } as const;
  try {
    return await joinDataFolder(directory, { ...options, make: false });
  } catch (error) {
    if (!(error instanceof NoDataFolder) || needed.folder === 'required') throw error;
    if (needed.folder === 'examined') {
      missing = error;
      return undefined;
    }
  }
  // No worker of `up` is there. Nothing is made for a run that could not begin.
  if (doesNotWait) throw new UsageError(NO_SERVERS_THAT_STAY);
  if (needed.worker === 'needed') await requireWorkerParts();
  return joinDataFolder(directory, { ...options, make: true });
}

/** What a worker on a data folder needs of the environment and the file. @throws ConfigurationError */
export async function requireWorkerParts(): Promise<Configuration> {
  const { besideDataFolder, loadConfiguration, WORKER_NEEDS } = await import('../../configuration/load.js');
  return loadConfiguration({ needs: besideDataFolder(WORKER_NEEDS) });
}

/** The settings of a worker that the environment of this shell contains. */
async function workerSettings(): Promise<WorkerSettings> {
  const { statedSettings } = await import('../../configuration/stated.js');
  return statedSettings();
}

const SETTING_NAMES: Record<keyof WorkerSettings, string> = {
  lnbits: 'another LNbits',
  preset: 'another preset of tables',
  relays: 'other relays',
  signers: 'other signers',
  documentTypes: 'other document types',
  dataConverter: 'another data converter',
};

/** The worker of `up` executes the runs, with the settings of the shell in which `up` was started. */
function sayOtherWorker(differing: (keyof WorkerSettings)[]): void {
  const names = differing.map((name) => SETTING_NAMES[name]).join(', ');
  say(
    `warning: the settings of this shell differ from those of the worker of republish up: ${names}. Runs use the worker's settings. To change them, restart republish up with the settings of this shell`,
  );
}

/** The data folder of this call, if it has one. @throws UsageError when other servers are also configured */
export async function dataSettingsOf(option: string | undefined): Promise<DataSettings | undefined> {
  const { dataSettings } = await import('../../configuration/data.js');
  const settings = dataSettings(option);
  if (settings === undefined || settings.otherServers.length === 0) return settings;
  const [folder, others] = [option === undefined ? 'REPUBLISH_DATA' : '--data', settings.otherServers];
  const allowed = others.includes('DATABASE_URL')
    ? ". If DATABASE_URL names LNbits' database, use LNBITS_DATABASE_URL instead; both with the same value are accepted"
    : '';
  throw new UsageError(
    `${folder} and ${others.join(' and ')} are both given. A data folder has its own Postgres and Temporal, so it is not clear where the ledger and the runs are. Unset ${others.join(' and ')}, or leave ${folder} out${allowed}`,
  );
}

/** From now on the configuration names the servers of this folder. */
export async function useJoined(joined: JoinedFolder, settings: DataSettings): Promise<void> {
  inUse = { joined };
  void joined.lost.then(() => end(new Lost(joined.folder.path)));
  const { useEmbeddedServers } = await import('../../configuration/embedded.js');
  const { ensureSecretsKey } = await import('../../embedded/data-folder/folder.js');
  const { databaseUrl, temporalAddress, folder } = joined;
  useEmbeddedServers({
    databaseUrl,
    ...(temporalAddress === undefined ? {} : { temporalAddress }),
    secretsKeyFile: settings.hasSecretsKey ? folder.secretsKeyFile : await ensureSecretsKey(folder),
  });
}

/** Stops the servers that this process runs: the worker first, so that documents in work are finished. */
export async function leaveDataFolder(): Promise<void> {
  const leaving = inUse;
  inUse = undefined;
  await leaving?.worker?.stop();
  await leaving?.joined.leave();
}

/** True: runs rest when this process ends, because their servers end with it. */
export function runRestsWithoutUs(): boolean {
  return inUse?.joined.runBy === 'this process';
}

/** A worker in a separate process, until the command ends. */
async function startOwnWorker({ folder }: JoinedFolder, isNeeded: boolean): Promise<void> {
  const { loadConfiguration, readConfiguration, WORKER_NEEDS } = await import('../../configuration/load.js');
  if (isNeeded) loadConfiguration({ needs: WORKER_NEEDS });
  else if (readConfiguration({ needs: WORKER_NEEDS }).problems.length > 0) {
    return say('no worker answers: one would need LNBITS_DATABASE_URL and REPUBLISH_RELAYS');
  }
  const { keepFolderWorker } = await import('../../embedded/keep-worker.js');
  const worker = await keepFolderWorker(folder.path, sayAbove);
  if (inUse === undefined) return worker.stop();
  inUse.worker = worker;
  void worker.failed.catch(end);
}

class Lost extends Error {
  readonly type = 'DataFolderUnusable';

  constructor(folder: string) {
    super(
      `a server of ${folder}, or the process that ran it, has ended: nothing is lost, and the next command on this folder continues what has begun`,
    );
  }
}

/** Ends this process for an error that its command cannot see. */
async function end(reason: Error): Promise<void> {
  closeLiveRegion();
  const code = explain(reason);
  await leaveDataFolder().catch(() => undefined);
  process.exit(code);
}

/**
 * Without a listener, a signal would end this process at once, and the guard would kill its servers. A
 * command with its own listener ends in order itself.
 */
function endInOrderOnSignals(): void {
  let isEnding = false;
  for (const signal of SIGNALS) {
    const onSignal = (): void => {
      if (isEnding) process.exit(EXIT.detached);
      if (process.listenerCount(signal) > 1) return;
      isEnding = true;
      closeLiveRegion();
      say('stopping');
      void leaveDataFolder().finally(() => process.exit(EXIT.detached));
    };
    process.on(signal, onSignal);
  }
}

/** A command as it is typed after `republish`, such as `signer add`; empty for the program itself. */
export function pathOf(command: Command): string {
  const names: string[] = [];
  for (let each: Command | null = command; each?.parent; each = each.parent) names.unshift(each.name());
  return names.join(' ');
}
