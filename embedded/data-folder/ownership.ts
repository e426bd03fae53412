import { readdirSync } from 'node:fs';
import { readFile, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { createPrivateFile, writePrivateFile } from '../private-file';
import { identityOf, isRunning, placeOfProcesses, type ProcessIdentity } from './process-identity';

/** The process that runs the servers of a data folder, and how others ask it for them. */
export interface Owner extends ProcessIdentity {
  /** As `placeOfProcesses` says it. */
  host: string;
  /** `up` stays until it is told to stop; a command only as long as it takes. */
  role: 'up' | 'command';
  /** Where it answers on 127.0.0.1, and the word that shows that the asker may read this folder. */
  port: number;
  token: string;
}

export interface Ownership {
  /** The folder is the next one's. */
  release(): Promise<void>;
}

const NAME = /^owner\.(\d+)$/;
/**
 * Processes of another host (a container that shares the folder) are not seen; that they live, the file's
 * time says.
 */
const SIGN_OF_LIFE_MS = 5_000;
const DEAD_AFTER_MS = 30_000;

/**
 * Makes this process the owner of a folder, unless another one is.
 *
 * A file `owner.<n>` says who owns the folder: the one with the highest number. A file is never taken over:
 * whoever finds that its process has ended or released it makes the next number, which only one can. A lock
 * file that is removed when it is found stale would let a second finder remove the lock that the first has
 * just made.
 *
 * @returns undefined when another process owns it
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
  // Others may have come and gone since we looked: then ours is an old number.
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
      // It stays, as the highest number.
      await writePrivateFile(file, '{}');
    },
  };
}

/** Who owns a folder now. */
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
    // None yet, or a newer one has removed it.
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
