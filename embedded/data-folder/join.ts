import { sleep } from '../../async/wait';
import { ensureError } from '../../contract/failures';
import { type DataFolder, DataFolderUnusable, openDataFolder } from './folder';
import { FolderOwner } from './folder-owner';
import { askOwner, type Granted } from './lease';
import { type Owner, ownerOf } from './ownership';
import { placeOfProcesses } from './process-identity';
import { differing, type WorkerSettings } from './worker-settings';

export interface JoinOptions {
  role: Owner['role'];
  /** Make the folder if it does not exist. */
  make: boolean;
  /** Temporal is needed too, not only Postgres. */
  temporal: boolean;
  /** The worker settings of this shell. With the role `up`: those of its worker. */
  settings?: WorkerSettings;
  /** Called with a message for each step that takes a while. */
  say(text: string): void;
  /** Ends the wait for another process. */
  signal?: AbortSignal;
}

/** The servers of a data folder, for as long as this process uses them. */
export interface JoinedFolder extends Granted {
  folder: DataFolder;
  /** Who runs the servers: this process, another command, or `republish up`, which has a worker too. */
  runBy: 'this process' | Owner['role'];
  /** The settings of this shell that differ from those of the worker of `republish up`. */
  differing: (keyof WorkerSettings)[];
  /**
   * Resolves when the other process that runs the servers has ended, or when a server of this process has.
   */
  lost: Promise<void>;
  /**
   * Gives the servers back. If this process runs them, it stops them, after the other commands that use them
   * have ended. With `atOnce` (the default of the role `up`) it does not wait for those commands.
   */
  leave(how?: { atOnce: boolean }): Promise<void>;
}

const POLL_MS = 200;
/** An owner that does not answer is starting or ending. After this time the person gets a message. */
const QUIET_MS = 2_000;

/**
 * Uses the servers of a data folder: those of the process that runs them, or its own if no process does.
 *
 * @throws NoDataFolder, DataFolderUnusable, or the reason of `signal`
 */
export async function joinDataFolder(directory: string, options: JoinOptions): Promise<JoinedFolder> {
  const folder = await openDataFolder(directory, options);
  const waiting = sayOnce(options.say);
  for (const beganMs = Date.now(); ; await sleep(POLL_MS)) {
    options.signal?.throwIfAborted();
    const owner = await ownerOf(folder.path);
    try {
      const joined =
        owner === undefined ? await own(folder, options) : await borrow(folder, owner, options, waiting);
      if (joined !== undefined) return joined;
    } catch (thrown) {
      if (thrown instanceof DataFolderUnusable) throw thrown;
      throw new DataFolderUnusable(
        `the servers of the data folder ${folder.path} could not be started: ${ensureError(thrown).message}`,
        { cause: thrown },
      );
    }
    if (owner !== undefined && Date.now() - beganMs > QUIET_MS)
      waiting(`waiting for the process that ends its servers on ${folder.path} (pid ${owner.pid})`);
  }
}

async function own(
  folder: DataFolder,
  { role, temporal, say, settings }: JoinOptions,
): Promise<JoinedFolder | undefined> {
  const owner = await FolderOwner.open(folder, role, say, role === 'up' ? settings : undefined);
  if (owner === undefined) return undefined;
  let granted: Granted;
  try {
    granted = await owner.grant(temporal);
  } catch (error) {
    await owner.end();
    throw error;
  }
  return {
    ...granted,
    folder,
    runBy: 'this process',
    differing: [],
    lost: owner.lost,
    async leave({ atOnce } = { atOnce: role === 'up' }) {
      if (!atOnce && owner.borrowed > 0) {
        const others =
          owner.borrowed === 1
            ? 'another command that uses them has'
            : `${owner.borrowed} other commands that use them have`;
        say(`the servers stay until ${others} ended`);
        await owner.untilAllGivenBack();
      }
      await owner.end();
    },
  };
}

async function borrow(
  folder: DataFolder,
  owner: Owner,
  { role, temporal, say, settings }: JoinOptions,
  waiting: (text: string) => void,
): Promise<JoinedFolder | undefined> {
  if (owner.host !== placeOfProcesses())
    throw new DataFolderUnusable(
      `the data folder ${folder.path} is in use on another host or in another container, ` +
        `${owner.host} (pid ${owner.pid}): use it there, or end that first`,
    );
  if (role === 'up') {
    if (owner.role === 'up')
      throw new DataFolderUnusable(
        `republish up runs on ${folder.path} already (pid ${owner.pid})`,
        {},
        `Use that one from any shell with REPUBLISH_DATA, or end it with: kill ${owner.pid}.`,
      );
    waiting(`waiting for the command that uses ${folder.path} (pid ${owner.pid}) to end`);
    return undefined;
  }
  const lease = await askOwner(owner, temporal, say);
  if (lease === undefined) return undefined;
  return {
    ...lease.granted,
    folder,
    runBy: owner.role,
    differing: differing(settings ?? {}, lease.granted.worker ?? {}, owner.token),
    lost: lease.lost,
    leave: () => Promise.resolve(lease.giveBack()),
  };
}

function sayOnce(say: (text: string) => void): (text: string) => void {
  let isSaid = false;
  return (text) => {
    if (!isSaid) say(text);
    isSaid = true;
  };
}
