import path from 'node:path';
import { gatherValues } from './load';

/** The settings of a data folder. */
export interface DataSettings {
  /** Absolute path of the folder. */
  directory: string;
  /** Names of settings that point to other servers. A data folder replaces those servers. */
  otherServers: string[];
  /** Whether a secrets key is configured. Without one, the folder has its own. */
  hasSecretsKey: boolean;
}

export interface DataOptions {
  env?: NodeJS.ProcessEnv;
  /** The folder of relative paths and of republish.config.json. */
  directory?: string;
}

/**
 * The data folder of this process: the option of the command, else REPUBLISH_DATA, else the key `data` of the
 * file. Undefined: there is none.
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

/**
 * A DATABASE_URL that equals LNbits' URL says where LNbits is. It does not say where the ledger should be.
 */
function isOfLnbits({ databaseUrl, lnbitsDatabaseUrl }: Record<string, unknown>): boolean {
  return databaseUrl === undefined || spelling(databaseUrl) === spelling(lnbitsDatabaseUrl);
}

function spelling(url: unknown): string {
  return String(url).replace(/^postgresql:/, 'postgres:');
}
