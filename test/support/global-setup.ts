import { readFileSync, statfsSync } from 'node:fs';
import os from 'node:os';
import { openDatabase } from '../../database/connection';
import { migrate } from '../../database/migrate';
import { startPostgres } from '../../embedded/postgres';
import { createLnbitsTables } from '../../dev/seed';
import { findTemporalServer } from '../../embedded/temporal-server/find';
import { searchAttributeTypes, startTemporalServer } from '../../embedded/temporal-server/start';
import { betterSqlite3Folder, nodeHasSqlite } from './sqlite';
import { bundleWorkflows, describeServers, type TestServers } from './servers';

/** One Temporal server and one Postgres for all test files; each file has its own database and task queue. */
export default async function globalSetup(): Promise<void> {
  // As a user who runs Node 20 has it; every process that the tests start finds it there.
  if (!nodeHasSqlite()) process.env.NODE_PATH = await betterSqlite3Folder();
  process.env.TMPDIR ??= folderInMemory() ?? os.tmpdir();
  // Temporal's servers are Go programs. With a larger heap they collect garbage less often: a sixth less CPU.
  process.env.GOGC ??= '400';
  const found = await findTemporalServer();
  const [temporal, postgres, bundlePath] = await Promise.all([
    startTemporalServer({ executable: found.path, headless: true, searchAttributes: searchAttributeTypes() }),
    startPostgres(),
    bundleWorkflows(),
  ]);
  const template = await postgres.createDatabase('template_lnbits');
  const database = openDatabase({ url: template });
  await createLnbitsTables(database);
  await migrate(database);
  await database.close();
  describeServers({
    temporalAddress: temporal.address,
    temporalCli: found.path,
    postgresUrl: postgres.url,
    bundlePath,
  });
  (globalThis as { testServers?: TestServers }).testServers = {
    stop: () => Promise.all([temporal.stop(), postgres.stop()]),
  };
}

/**
 * For the temporary files of all tests. Postgres makes 300 files for each database: on a disk that costs six
 * times the CPU. Undefined: there is no such folder, it has no room, or no program may run from it.
 */
function folderInMemory(): string | undefined {
  const folder = '/dev/shm';
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8').split('\n');
    const [, , type, options] = mounts.map((line) => line.split(' ')).find(([, at]) => at === folder) ?? [];
    const { bavail, bsize } = statfsSync(folder);
    const fits = type === 'tmpfs' && !options?.split(',').includes('noexec') && bavail * bsize >= 8 * 2 ** 30;
    return fits ? folder : undefined;
  } catch {
    return undefined;
  }
}
