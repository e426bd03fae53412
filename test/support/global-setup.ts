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
