import { loadConfiguration, type Need } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import { type Database, openDatabase } from '../../database/connection';
import type { PairingContext } from '../../pairing/facts';

/** Lends what an operator's signer is stored, looked for and asked with. */
export async function withSigners<T>(
  work: (context: Omit<PairingContext, 'operatorUserId' | 'say'>) => Promise<T>,
  needs: Need[] = [],
): Promise<T> {
  const { withParts } = await import('../../assembly/parts.js');
  return withDatabase(
    (database, configuration) =>
      withParts(configuration, {}, ({ source, custom }) =>
        work({ database, configuration, custom, ...(source === undefined ? {} : { accounts: source }) }),
      ),
    needs,
  );
}

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
