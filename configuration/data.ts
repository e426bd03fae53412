import path from 'node:path';
import { gatherValues } from './load';

/** What is configured about a data folder and beside it. */
export interface DataSettings {
  /** Absolute path of the folder. */
  directory: string;
  /** Settings that name servers of somebody else, as a person knows them; a data folder takes their place. */
  otherServers: string[];
  /** Whether a key for the signers is configured; else the folder has one of its own. */
  hasSecretsKey: boolean;
}

export interface DataOptions {
  env?: NodeJS.ProcessEnv;
  /** Where relative paths and republish.config.json are. */
  directory?: string;
}

/**
 * The data folder of this process: an option of the command line, else REPUBLISH_DATA, else the key `data` of
 * the file. Undefined when there is none.
 */
export function dataSettings(
  option: string | undefined,
  options: DataOptions = {},
): DataSettings | undefined {
  const { env = process.env, directory = process.cwd() } = options;
  const values = gatherValues(env, directory, []);
  const data = option ?? values.data;
  if (typeof data !== 'string' || data === '') return undefined;
  return {
    directory: path.resolve(directory, data),
    otherServers: [
      ...(isOfLnbits(values) ? [] : ['DATABASE_URL']),
      ...(env.TEMPORAL_ADDRESS?.trim() ? ['TEMPORAL_ADDRESS'] : []),
    ],
    hasSecretsKey: values.secretsKey !== undefined || values.secretsKeyFile !== undefined,
  };
}

/** A DATABASE_URL that is LNbits' own says where LNbits is, and not where the ledger should be. */
function isOfLnbits({ databaseUrl, lnbitsDatabaseUrl }: Record<string, unknown>): boolean {
  return databaseUrl === undefined || spelling(databaseUrl) === spelling(lnbitsDatabaseUrl);
}

function spelling(url: unknown): string {
  return String(url).replace(/^postgresql:/, 'postgres:');
}
