import { loadConfiguration, type Need } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import { type Database, openDatabase } from '../../database/connection';

/** Opens the configured database for the time of one call. */
export async function withDatabase<T>(
  work: (database: Database, configuration: Configuration) => Promise<T>,
  needs: Need[] = [],
): Promise<T> {
  const configuration = loadConfiguration({ needs: ['databaseUrl', ...needs] });
  const database = openDatabase({ url: configuration.databaseUrl ?? '', maxConnections: 2 });
  try {
    return await work(database, configuration);
  } finally {
    await database.close();
  }
}
