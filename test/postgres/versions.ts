import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { startPostgres } from '../../embedded/postgres';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { startSaga } from '../support/saga';

/** Folders with `initdb` and `postgres` of other versions than the embedded one. */
const folders = (process.env.REPUBLISH_TEST_POSTGRES ?? '')
  .split(path.delimiter)
  .filter((folder) => folder !== '');

if (folders.length === 0) test.skip('no other version of Postgres was found', () => undefined);

describe.each(folders)('Postgres in %s', (folder) => {
  test('is migrated, read and written by a run that completes', async () => {
    const version = execFileSync(path.join(folder, 'postgres'), ['--version'], { encoding: 'utf8' }).trim();
    const postgres = await startPostgres({ binaries: folder });
    const saga = await startSaga({ postgresUrl: postgres.url });
    try {
      const operator = await addOperatorWithCanaries(saga, { machines: 4 });
      await saga.startWorker();
      const { ids, failure } = await runUnderFault(saga, operator, {});
      expect({ version, failure, ids: ids.length }).toEqual({ version, failure: undefined, ids: 8 });
    } finally {
      await saga.stop();
      await postgres.stop();
    }
  }, 120_000);
});
