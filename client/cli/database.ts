import { loadConfiguration, type Need } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import {
  type Database,
  openDatabase,
  openReadOnlyDatabase,
  type ReadOnlyDatabase,
} from '../../database/connection';
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
  return closing(openDatabase(optionsOf(configuration)), (database) => work(database, configuration));
}

/** As `withDatabase`, for commands that only look. */
export async function withReadOnlyDatabase<T>(work: (database: ReadOnlyDatabase) => Promise<T>): Promise<T> {
  return closing(openReadOnlyDatabase(optionsOf(loadConfiguration({ needs: ['databaseUrl'] }))), work);
}

const optionsOf = ({ databaseUrl = '' }: Configuration) => ({ url: databaseUrl, maxConnections: 2 });

async function closing<Opened extends ReadOnlyDatabase, T>(
  database: Opened,
  work: (database: Opened) => Promise<T>,
): Promise<T> {
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}
