import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ownerOf, takeOwnership } from '../../embedded/data-folder/ownership';
import { identityOf, isRunning, placeOfProcesses } from '../../embedded/data-folder/process-identity';

let folder: string;
beforeEach(() => (folder = mkdtempSync(path.join(tmpdir(), 'republish-owner-test-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const AS = { role: 'command', port: 4711, token: 'a word' } as const;

/** Writes who owned the folder before. */
function left(number: number, owner: object): string {
  const file = path.join(folder, `owner.${number}`);
  writeFileSync(file, JSON.stringify({ ...AS, host: placeOfProcesses(), ...owner }));
  return file;
}

test('of many that want a folder at once one gets it, also where a dead process has left it', async () => {
  for (const number of [0, 7, 20]) {
    if (number > 0) left(number, { pid: process.pid, startedAt: 'before the last boot' });
    const taken = await Promise.all(Array.from({ length: 20 }, () => takeOwnership(folder, AS)));
    const owners = taken.filter((each) => each !== undefined);
    expect(owners).toHaveLength(1);
    expect(await ownerOf(folder)).toMatchObject({ ...AS, pid: process.pid });
    expect(await takeOwnership(folder, AS)).toBeUndefined();
    await owners[0]?.release();
    expect(await ownerOf(folder)).toBeUndefined();
    expect(readdirSync(folder)).toEqual([`owner.${number + 1}`]);
  }
  expect(statSync(path.join(folder, 'owner.21')).mode & 0o777).toBe(0o600);
});

test('a process of another host counts as long as its file is touched', async () => {
  const file = left(3, { pid: 1, startedAt: 'whenever', host: 'another-host' });
  expect(await ownerOf(folder)).toMatchObject({ host: 'another-host' });
  expect(await takeOwnership(folder, AS)).toBeUndefined();
  const aMinuteAgo = new Date(Date.now() - 60_000);
  utimesSync(file, aMinuteAgo, aMinuteAgo);
  const ownership = await takeOwnership(folder, AS);
  expect(ownership).toBeDefined();
  await ownership?.release();
});

test('a process is known by its number and when it began', () => {
  const identity = identityOf(process.pid);
  expect(identity).toBeDefined();
  expect(isRunning(identity as NonNullable<typeof identity>)).toBe(true);
  expect(isRunning({ pid: process.pid, startedAt: 'another time' })).toBe(false);
  expect(identityOf(2 ** 22 + 1)).toBeUndefined();
});
