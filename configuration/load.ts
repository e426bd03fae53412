import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Configuration, configurationSchema, ENVIRONMENT, OTHER_VARIABLES } from './schema';
import { suggest } from '../rules/suggest';
import { withLibpqVariables } from '../database/postgres-url';
import { embeddedServers } from './embedded';

/** Keys that a command needs. */
export type Need = 'databaseUrl' | 'lnbitsDatabaseUrl' | 'relays' | 'secretsKey';

const NEEDS: Record<Need, string> = {
  databaseUrl:
    'DATABASE_URL is not set: give the Postgres URL of the database that keeps the ledger, ' +
    'postgres://user:password@host/name; or keep it in a folder, without any server: --data <dir>',
  lnbitsDatabaseUrl:
    "LNBITS_DATABASE_URL is not set: give LNbits' database, postgres://user:password@host/name or " +
    'sqlite:///path/to/lnbits/data',
  relays:
    'REPUBLISH_RELAYS is not set: name at least one relay, for example wss://relay.example.com ' +
    '(comma-separated)',
  secretsKey:
    'REPUBLISH_SECRETS_KEY (or REPUBLISH_SECRETS_KEY_FILE) is not set: it encrypts the signers at rest; ' +
    'make one with: openssl rand -hex 32',
};

/** All problems of the configuration. The message never contains a value. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly type = 'ConfigurationError';

  constructor(readonly problems: string[]) {
    const howMany = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    super(`the configuration has ${howMany}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

/** Keys that a worker needs. */
export const WORKER_NEEDS: readonly Need[] = ['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey'];

/** What of these keys is needed beside a data folder, which has its own Postgres and secrets key. */
export function besideDataFolder(needs: readonly Need[]): Need[] {
  return needs.filter((need) => need !== 'databaseUrl' && need !== 'secretsKey');
}

export interface LoadOptions {
  env?: NodeJS.ProcessEnv;
  /** Where republish.config.json is looked for. */
  directory?: string;
  needs?: readonly Need[];
}

/**
 * Reads the file that REPUBLISH_CONFIG names (default: republish.config.json, if it exists), and the
 * environment, which wins.
 *
 * @throws ConfigurationError with every problem of both
 */
export function loadConfiguration(options: LoadOptions = {}): Configuration {
  const { configuration, problems } = readConfiguration(options);
  if (problems.length > 0) throw new ConfigurationError(problems);
  return configuration;
}

/** The same for a caller that can use an incomplete configuration: a wrong key counts as not set. */
export function readConfiguration(options: LoadOptions = {}): {
  configuration: Configuration;
  problems: string[];
} {
  const env = options.env ?? process.env;
  const problems: string[] = [];
  const values = gatherValues(env, options.directory ?? process.cwd(), problems);
  problems.push(...mistypedVariables(env));
  readSecretsKeyFile(values, problems);
  defaultLnbitsDatabase(env, values);
  if (options.env === undefined) embed(values, problems);

  const isNeeded = (need: Need): boolean => options.needs?.includes(need) === true;
  for (const need of options.needs ?? []) {
    // An unreadable key file is reported already.
    if (need === 'secretsKey' && values.secretsKeyFile !== undefined) continue;
    if (!isMissing(values[need])) continue;
    const mayBeLeftOut =
      need === 'lnbitsDatabaseUrl' && isNeeded('databaseUrl') && embeddedServers() === undefined;
    problems.push(
      mayBeLeftOut ? `${NEEDS[need]}; without it, LNbits is read from DATABASE_URL` : NEEDS[need],
    );
  }

  const parsed = configurationSchema.safeParse(values);
  for (const issue of parsed.error?.issues ?? []) {
    // It defaults to `databaseUrl`, which has the same problem.
    if (issue.path[0] === 'lnbitsDatabaseUrl' && values.lnbitsDatabaseUrl === values.databaseUrl) continue;
    problems.push(...describe(issue));
  }
  const configuration = parsed.data ?? withoutWrongKeys(values, parsed.error?.issues ?? []);
  if (
    typeof configuration.quorum === 'number' &&
    configuration.relays.length > 0 &&
    configuration.quorum > configuration.relays.length
  ) {
    problems.push(
      `REPUBLISH_QUORUM (quorum) is ${configuration.quorum}, but there are only ` +
        `${configuration.relays.length} relays`,
    );
  }
  return { configuration: Object.freeze(configuration), problems };
}

/** The values of the file, with those of the environment on top, not yet validated. */
export function gatherValues(
  env: NodeJS.ProcessEnv,
  directory: string,
  problems: string[],
): Record<string, unknown> {
  const values: Record<string, unknown> = readFile(env, directory, problems);
  // A path in the file is relative to the file, not to the working directory.
  const { data } = values;
  if (typeof data === 'string' && data !== '')
    values.data = path.resolve(directory, path.dirname(env.REPUBLISH_CONFIG?.trim() || '.'), data);
  // The file's key must not win over a key file that the environment names.
  if (env.REPUBLISH_SECRETS_KEY_FILE?.trim()) delete values.secretsKey;
  for (const [name, { key, kind }] of Object.entries(ENVIRONMENT)) {
    const text = env[name];
    if (text === undefined || text.trim() === '') continue;
    values[key] = convert(text.trim(), kind);
  }
  for (const key of ['databaseUrl', 'lnbitsDatabaseUrl']) {
    const url = values[key];
    if (typeof url === 'string') values[key] = withLibpqVariables(url, env);
  }
  return values;
}

/**
 * Replaces the configured servers by those of the data folder. Called after LNbits' database has its default:
 * its tables are never in the folder.
 */
function embed(values: Record<string, unknown>, problems: string[]): void {
  const servers = embeddedServers();
  if (servers === undefined) return;
  values.databaseUrl = servers.databaseUrl;
  if (values.secretsKey !== undefined || values.secretsKeyFile !== undefined) return;
  values.secretsKeyFile = servers.secretsKeyFile;
  readSecretsKeyFile(values, problems);
}

function withoutWrongKeys(
  values: Record<string, unknown>,
  issues: readonly { path: PropertyKey[] }[],
): Configuration {
  const wrong = new Set(issues.map(({ path: [key] }) => String(key)));
  const known = Object.keys(configurationSchema.shape).filter((key) => !wrong.has(key));
  return configurationSchema.parse(Object.fromEntries(known.map((key) => [key, values[key]])));
}

function readFile(env: NodeJS.ProcessEnv, directory: string, problems: string[]): Record<string, unknown> {
  const named = env.REPUBLISH_CONFIG?.trim();
  const file = path.resolve(directory, named || 'republish.config.json');
  if (!named && !existsSync(file)) return {};
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return withAbsoluteModules({ ...value }, path.dirname(file));
    problems.push(`${file} must hold a JSON object`);
  } catch (error) {
    // The parser's message quotes the file, which may hold secrets.
    const reason =
      error instanceof SyntaxError
        ? 'is not valid JSON'
        : 'cannot be read; is the path in REPUBLISH_CONFIG right?';
    problems.push(`${file} ${reason}`);
  }
  return {};
}

/** Module paths in the file are relative to the file. */
function withAbsoluteModules(values: Record<string, unknown>, directory: string): Record<string, unknown> {
  const absolute = (module: unknown): unknown =>
    typeof module === 'string' && module !== '' ? path.resolve(directory, module) : module;
  const inPlace = (key: string): Record<string, unknown> => {
    const named = values[key];
    if (named === undefined) return {};
    return { [key]: Array.isArray(named) ? named.map(absolute) : absolute(named) };
  };
  return {
    ...values,
    ...inPlace('documentTypes'),
    ...inPlace('signerProviders'),
    ...inPlace('source'),
    ...inPlace('dataConverter'),
  };
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function convert(text: string, kind: (typeof ENVIRONMENT)[string]['kind']): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'number':
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
    case 'boolean':
      // Other text stays text, and the schema refuses it. A guess could allow or forbid something unseen.
      return /^(true|1)$/i.test(text) ? true : /^(false|0)$/i.test(text) ? false : text;
    case 'quorum':
      return /^\d+$/.test(text) ? Number(text) : text;
    case 'list':
      return text
        .split(',')
        .map((entry) => entry.trim())
        .filter((entry) => entry !== '');
  }
}

/**
 * Variables that look like a mistyped one of ours. Unreported, a typo would mean the default value in
 * production.
 */
function mistypedVariables(env: NodeJS.ProcessEnv): string[] {
  const known = [...Object.keys(ENVIRONMENT), ...OTHER_VARIABLES];
  return Object.keys(env)
    .filter((name) => name.startsWith('REPUBLISH_') && !known.includes(name))
    .flatMap((name) => {
      const meant = suggest(name, known);
      return meant ? [`${name} is not known; did you mean ${meant}?`] : [];
    });
}

/** Where the secrets key comes from, for a person: the name of the setting, or the file of a data folder. */
export function secretsKeySource(
  { secretsKeyFile }: Pick<Configuration, 'secretsKeyFile'>,
  env: NodeJS.ProcessEnv = process.env,
): string {
  if (env.REPUBLISH_SECRETS_KEY?.trim()) return 'REPUBLISH_SECRETS_KEY';
  if (env.REPUBLISH_SECRETS_KEY_FILE?.trim()) return 'REPUBLISH_SECRETS_KEY_FILE';
  if (secretsKeyFile === undefined) return 'secretsKey of the configuration file';
  return secretsKeyFile === embeddedServers()?.secretsKeyFile
    ? secretsKeyFile
    : 'secretsKeyFile of the configuration file';
}

function readSecretsKeyFile(values: Record<string, unknown>, problems: string[]): void {
  if (values.secretsKey !== undefined || typeof values.secretsKeyFile !== 'string') return;
  try {
    values.secretsKey = readFileSync(values.secretsKeyFile, 'utf8').trim();
  } catch {
    problems.push('REPUBLISH_SECRETS_KEY_FILE (secretsKeyFile) cannot be read');
  }
}

/** As LNbits finds it: by its URL, else in its data folder. Without either it is the ledger's database. */
function defaultLnbitsDatabase(env: NodeJS.ProcessEnv, values: Record<string, unknown>): void {
  if (!isMissing(values.lnbitsDatabaseUrl)) return;
  values.lnbitsDatabaseUrl = env.LNBITS_DATA_FOLDER?.trim() || values.databaseUrl;
}

interface Issue {
  code: string;
  path: PropertyKey[];
  message: string;
  keys?: string[];
}

function describe(issue: Issue): string[] {
  const at = issue.path.map(String);
  if (issue.code === 'unrecognized_keys' && issue.keys) {
    const known =
      at.length === 0
        ? Object.keys(configurationSchema.shape)
        : ['schema', 'account', 'machines', 'operators', 'signer', 'documents'];
    return issue.keys.map((key) => {
      const meant = suggest(key, known);
      return `${[...at, key].join('.')} is not known${meant ? `; did you mean ${meant}?` : ''}`;
    });
  }
  if (issue.code === 'invalid_union' && at[0] === 'queries') {
    const sql =
      at[1] === 'operators'
        ? 'SELECT id FROM ...'
        : at[1] === 'documents'
          ? 'SELECT machine_id, ... FROM ...'
          : '... $1 ...';
    return [`${at.join('.')} must be { "table": ..., "schema"?: ... } or { "sql": "${sql}" }`];
  }
  const variable = Object.entries(ENVIRONMENT).find(([, { key }]) => key === at[0])?.[0];
  const name = variable ? `${variable} (${at.join('.')})` : at.join('.');
  return [`${name}: ${issue.message}`];
}
