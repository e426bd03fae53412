import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DataFolderUnusable, NoDataFolder, openDataFolder } from '../../embedded/data-folder/folder';

let parent: string;
let said: string[];
beforeEach(() => {
  parent = mkdtempSync(path.join(tmpdir(), 'republish-folder-test-'));
  said = [];
});
afterEach(() => rmSync(parent, { recursive: true }));

const open = (directory: string, make: boolean) =>
  openDataFolder(directory, { make, say: (text) => void said.push(text) });

test('a folder is made only by a command that may, which says so once', async () => {
  const folder = path.join(parent, 'new', 'folder');
  await expect(open(folder, false)).rejects.toMatchObject({
    type: 'DataFolderUnusable',
    message: `${folder} is no data folder: there is no such folder`,
    remedy: expect.stringContaining(`republish migrate --data ${folder}`) as string,
  });
  expect(readdirSync(parent)).toEqual([]);
  await open(folder, true);
  await open(folder, true);
  await open(folder, false);
  expect(said).toEqual([`made the data folder ${folder}`]);
});

test('an empty folder is left alone too, and a folder with other files is named as that', async () => {
  await expect(open(parent, false)).rejects.toThrow(NoDataFolder);
  expect(readdirSync(parent)).toEqual([]);
  const other = path.join(parent, 'other');
  mkdirSync(other);
  writeFileSync(path.join(other, 'database.sqlite3'), '');
  for (const make of [false, true]) {
    const refused = open(other, make);
    await expect(refused).rejects.toThrow('holds other files (database.sqlite3)');
    await expect(refused).rejects.toThrow(DataFolderUnusable);
  }
  await expect(open(path.join(other, 'database.sqlite3'), false)).rejects.toThrow('is no folder');
});
