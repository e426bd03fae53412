import { readdirSync } from 'node:fs';
import { readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { createPrivateFile, writePrivateFile } from '../private-file';
import { identityOf, isRunning, placeOfProcesses, type ProcessIdentity } from './process-identity';

/** The process that runs the servers of a data folder. It is the content of a file `owner.<n>`. */
export interface Owner extends ProcessIdentity {
  /** See `placeOfProcesses`. */
  host: string;
  /** `up` runs until a person stops it. `command` runs as long as its work takes. */
  role: 'up' | 'command';
  /** Its port on 127.0.0.1. */
  port: number;
  /** A request must contain it. It proves that the sender may read this folder. */
  token: string;
}

export interface Ownership {
  /** Lets another process take the folder. */
  release(): Promise<void>;
}

const NAME = /^owner\.(\d+)$/;
/**
 * The owner sets the time of its file. For a process on another host, or in another container, that time is
 * the only sign of life.
 */
const SIGN_OF_LIFE_MS = 5_000;
const DEAD_AFTER_MS = 30_000;

/**
 * Makes this process the owner of a folder, unless another process is.
 *
 * The owner is in the file `owner.<n>` with the highest number. When that process has ended or has released
 * the folder, the next owner creates the file with the next number: only one process can create it. With a
 * lock file that is deleted when it is stale, a second process could delete the new lock of the first one.
 *
 * @returns undefined: another process owns the folder
 */
export async function takeOwnership(
  folder: string,
  as: Pick<Owner, 'role' | 'port' | 'token'>,
): Promise<Ownership | undefined> {
  const identity = identityOf(process.pid);
  if (identity === undefined) throw new Error('this system does not say when a process has started');
  const newest = newestNumber(folder);
  if ((await ownerAt(folder, newest)) !== undefined) return undefined;
  const mine = newest + 1;
  const file = path.join(folder, `owner.${mine}`);
  const owner: Owner = { ...identity, host: placeOfProcesses(), ...as };
  if (!(await createPrivateFile(file, JSON.stringify(owner)))) return undefined;
  // Other processes may have owned the folder since `newestNumber`: then our number is not the highest.
  if (newestNumber(folder) > mine) {
    await rm(file, { force: true });
    return undefined;
  }
  await removeOlder(folder, mine);
  const signOfLife = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, SIGN_OF_LIFE_MS);
  signOfLife.unref();
  return {
    async release() {
      clearInterval(signOfLife);
      // The empty file stays: it keeps the highest number.
      await writePrivateFile(file, '{}');
    },
  };
}

/** The current owner of a folder. */
export function ownerOf(folder: string): Promise<Owner | undefined> {
  return ownerAt(folder, newestNumber(folder));
}

async function ownerAt(folder: string, number: number): Promise<Owner | undefined> {
  const file = path.join(folder, `owner.${number}`);
  try {
    const owner = JSON.parse(await readFile(file, 'utf8')) as Partial<Owner>;
    if (owner.pid === undefined) return undefined;
    const isAlive =
      owner.host === placeOfProcesses()
        ? isRunning(owner as Owner)
        : Date.now() - (await stat(file)).mtimeMs < DEAD_AFTER_MS;
    return isAlive ? (owner as Owner) : undefined;
  } catch (error) {
    // There is no owner file yet, or a newer owner has removed this one.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function newestNumber(folder: string): number {
  const numbers = readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []);
  return Math.max(0, ...numbers.map(Number));
}

async function removeOlder(folder: string, mine: number): Promise<void> {
  for (const name of readdirSync(folder)) {
    const number = NAME.exec(name)?.[1];
    if (number !== undefined && Number(number) < mine) await rm(path.join(folder, name), { force: true });
  }
}
