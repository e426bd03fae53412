import { randomBytes } from 'node:crypto';
import { link, open, rename, rm } from 'node:fs/promises';

/** Writes a file that only this user may read. It replaces the file atomically. */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  await withTemporary(file, text, (temporary) => rename(temporary, file));
}

/** Creates a file that only this user may read, atomically. @returns false: the file exists already */
export async function createPrivateFile(file: string, text: string): Promise<boolean> {
  return withTemporary(file, text, async (temporary) => {
    try {
      await link(temporary, file);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  });
}

async function withTemporary<T>(
  file: string,
  text: string,
  place: (temporary: string) => Promise<T>,
): Promise<T> {
  const temporary = `${file}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return await place(temporary);
  } finally {
    await rm(temporary, { force: true });
  }
}
