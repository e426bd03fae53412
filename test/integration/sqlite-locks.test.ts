import { readdir } from 'node:fs/promises';
import { openSqliteSource } from '../../sources/sqlite';
import type { Source } from '../../sources/source';
import { startChildProgram } from '../support/child-program';
import { type LnbitsFolder, makeLnbitsFolder, OPEN_TO_WRITE, openToWrite } from '../support/sqlite';
import { until } from '../support/until';

let lnbits: LnbitsFolder;
let source: Source;

function open(lockTimeoutMs?: number): Source {
  return openSqliteSource({
    folder: lnbits.folder,
    preset: 'auto',
    queries: { documents: {}, documentTypes: [] },
    lockTimeoutMs,
  });
}

/** A handle that nothing refers to any more is collected, and its lock is gone. */
const KEEP_OPEN = 'setInterval(() => database, 1000);';

/** Another process with the database open to write, as LNbits is. */
function otherProcess(program: string) {
  return startChildProgram(
    `${OPEN_TO_WRITE} const database = openToWrite(${JSON.stringify(lnbits.path('database.sqlite3'))}); ${program}`,
  );
}

beforeEach(async () => {
  lnbits = await makeLnbitsFolder();
  await lnbits.write("INSERT INTO accounts (id, pubkey) VALUES ('op', 'before')");
  source = open();
});
afterEach(async () => {
  await source.close();
  await lnbits.remove();
});

describe('beside another process that writes', () => {
  test('a lock is waited for, and the event loop turns meanwhile', async () => {
    const writer = await otherProcess(`
      database.exec("BEGIN EXCLUSIVE; UPDATE accounts SET pubkey = 'after' WHERE id = 'op'");
      const waits = setInterval(() => database, 1000);
      process.once('SIGUSR2', () => { database.exec('COMMIT'); database.close(); clearInterval(waits); });
      console.log('locked');
    `);
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 20);
    let isRead = false;
    const reading = source.account('op').finally(() => (isRead = true));
    await until(() => turns > 25);
    clearInterval(counting);
    expect(isRead).toBe(false);
    writer.kill('SIGUSR2');
    expect(await reading).toEqual({ id: 'op', pubkey: 'after' });
    expect(await writer.ended).toBe(0);
  });

  test('a lock that stays is named, and a source that is closed stops waiting', async () => {
    const writer = await otherProcess(`
      database.exec('BEGIN EXCLUSIVE');
      console.log('locked');
      ${KEEP_OPEN}
    `);
    await expect(open(300).account('op')).rejects.toMatchObject({
      type: 'SourceUnavailable',
      message: expect.stringMatching(/^queries\.account: .* is locked by another process/),
    });
    const waiting = source.account('op');
    waiting.catch(() => undefined);
    await source.close();
    await expect(waiting).rejects.toMatchObject({ type: 'SourceUnavailable' });
    writer.kill('SIGKILL');
    await writer.ended;
  });

  test('a reader does not keep it waiting', async () => {
    const writer = await openToWrite(lnbits.path('database.sqlite3'));
    for (let round = 0; round < 5; round += 1) {
      const reading = source.account('op');
      writer.exec(`UPDATE accounts SET pubkey = '${round}'`);
      await reading;
      expect(await source.account('op')).toEqual({ id: 'op', pubkey: String(round) });
    }
    writer.close();
  });

  // Whoever rolls such a journal back writes: a reader must not.
  test('what a process left that died while it wrote is LNbits’ to undo', async () => {
    const writer = await otherProcess(`
      database.exec("PRAGMA cache_size = 1; INSERT INTO accounts (id, extra) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) SELECT i, printf('%.*c', 2000, 'x') FROM n");
      database.exec("BEGIN; UPDATE accounts SET pubkey = 'half'");
      console.log('writing');
      ${KEEP_OPEN}
    `);
    writer.kill('SIGKILL');
    await writer.ended;
    const files = (await readdir(lnbits.folder)).toSorted();
    expect(files).toContain('database.sqlite3-journal');
    const hasty = open(200);
    await expect(hasty.account('op')).rejects.toMatchObject({
      type: 'SourceUnavailable',
      message: expect.stringMatching(/start LNbits once/),
    });
    expect((await readdir(lnbits.folder)).toSorted()).toEqual(files);
    await lnbits.write('SELECT count(*) FROM accounts');
    expect(await hasty.account('op')).toEqual({ id: 'op', pubkey: 'before' });
    expect(await readdir(lnbits.folder)).not.toContain('database.sqlite3-journal');
  });
});

describe('a database in journal mode WAL', () => {
  test('is read while somebody has it open, and refused in words when nobody has', async () => {
    const writer = await openToWrite(lnbits.path('database.sqlite3'));
    writer.exec("PRAGMA journal_mode = wal; UPDATE accounts SET pubkey = 'in the WAL'");
    const files = (await readdir(lnbits.folder)).toSorted();
    expect(files).toContain('database.sqlite3-wal');
    expect(await source.account('op')).toEqual({ id: 'op', pubkey: 'in the WAL' });
    expect((await readdir(lnbits.folder)).toSorted()).toEqual(files);
    writer.close();

    const alone = (await readdir(lnbits.folder)).toSorted();
    expect(alone).not.toContain('database.sqlite3-wal');
    await expect(source.account('op')).rejects.toMatchObject({
      type: 'SourceUnavailable',
      message: expect.stringMatching(/journal mode WAL.*start LNbits/),
    });
    expect((await readdir(lnbits.folder)).toSorted()).toEqual(alone);
  });
});
