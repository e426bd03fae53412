import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { useEmbeddedServers } from '../../configuration/embedded';
import { ConfigurationError, loadConfiguration, type Need, secretsKeySource } from '../../configuration/load';
import type { Configuration } from '../../configuration/schema';
import { loadTemporalConfiguration } from '../../configuration/temporal';
import { DEFAULT_TASK_QUEUE } from '../../contract/names';

const SECRETS_KEY = 'canary-secrets-key-0123456789';
const DATABASE_URL = 'postgres://lnbits:canary-password@db.example.com/lnbits';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'republish-configuration-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const write = (content: unknown, name = 'republish.config.json'): string => {
  const file = path.join(directory, name);
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
};

const load = (env: NodeJS.ProcessEnv = {}, needs: readonly Need[] = []): Configuration =>
  loadConfiguration({ env, directory, needs });

function failure(env: NodeJS.ProcessEnv = {}, needs: readonly Need[] = []): ConfigurationError {
  try {
    load(env, needs);
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('loadConfiguration', () => {
  describe('finds LNbits’ database as LNbits does', () => {
    const lnbits = (env: NodeJS.ProcessEnv): string | undefined => load(env).lnbitsDatabaseUrl;
    const ledger = 'postgres://u:canary@ledger/republish';

    it.each([
      [
        'by its URL',
        { LNBITS_DATABASE_URL: 'postgres://lnbits/x', LNBITS_DATA_FOLDER: '/data' },
        'postgres://lnbits/x',
      ],
      ['in its data folder', { LNBITS_DATABASE_URL: '', LNBITS_DATA_FOLDER: '/data' }, '/data'],
      ['else where the ledger is', {}, ledger],
    ])('%s', (_, env, expected) => {
      expect(lnbits({ DATABASE_URL: ledger, ...env })).toBe(expected);
    });

    it.each([
      ['cockroachdb://u:canary@host/db', 'CockroachDB, which is not supported'],
      ['mysql://u:canary@host/db', 'begins with "mysql://"'],
      ['sqlite://', 'names no folder'],
    ])('refuses %s by name and without quoting it', (url, expected) => {
      const { message } = failure({ LNBITS_DATABASE_URL: url, DATABASE_URL: ledger });
      expect(message).toContain('LNBITS_DATABASE_URL (lnbitsDatabaseUrl)');
      expect(message).toContain(expected);
      expect(message).not.toContain('canary');
    });

    it('tells what is wrong with DATABASE_URL once', () => {
      expect(failure({ DATABASE_URL: 'mysql://x/y' }).problems).toHaveLength(1);
    });
  });

  it('has a default for everything but addresses and secrets', () => {
    expect(load()).toEqual({
      preset: 'auto',
      signers: 'paired',
      signerProviders: [],
      lnbitsBunkerRelays: [],
      documentTypes: [],
      taskQueue: DEFAULT_TASK_QUEUE,
      relays: [],
      quorum: 'majority',
      bunkerConcurrency: 64,
      bunkerTimeoutMs: 30_000,
      allowPrivateBunkerRelays: false,
      approvalTimeoutMs: 300_000,
      relayTimeoutMs: 10_000,
      documentTimeoutMs: 1_800_000,
      heartbeatTimeoutMs: 12_000,
      retryIntervalMs: 1_000,
      shutdownGraceMs: 20_000,
      documentsPerPage: 100,
      pagesPerExecution: 1000,
      maxStateBytes: 28_672,
      logLevel: 'info',
      queries: { documents: {} },
    });
  });

  it('is frozen', () => {
    const configuration = load() as { taskQueue: string };
    expect(() => (configuration.taskQueue = 'other')).toThrow(TypeError);
  });

  it('reads every kind of environment variable', () => {
    const configuration = load({
      DATABASE_URL,
      REPUBLISH_RELAYS: ' wss://a.example , ws://b.example/path,, ',
      REPUBLISH_QUORUM: '2',
      REPUBLISH_SECRETS_KEY: SECRETS_KEY,
      REPUBLISH_BUNKER_TIMEOUT_MS: '1500',
      REPUBLISH_LOG_LEVEL: 'debug',
      REPUBLISH_TASK_QUEUE: '  ',
    });
    expect(configuration).toMatchObject({
      databaseUrl: DATABASE_URL,
      relays: ['wss://a.example', 'ws://b.example/path'],
      quorum: 2,
      secretsKey: SECRETS_KEY,
      bunkerTimeoutMs: 1500,
      logLevel: 'debug',
      // A variable that is set to nothing is not set.
      taskQueue: DEFAULT_TASK_QUEUE,
    });
    expect(load({ REPUBLISH_QUORUM: 'all' }).quorum).toBe('all');
  });

  it('takes the environment over the file, key by key', () => {
    write({ taskQueue: 'from-file', bunkerConcurrency: 3, relays: ['wss://file.example'] });
    const configuration = load({ REPUBLISH_TASK_QUEUE: 'from-env', REPUBLISH_RELAYS: 'wss://env.example' });
    expect(configuration).toMatchObject({
      taskQueue: 'from-env',
      bunkerConcurrency: 3,
      relays: ['wss://env.example'],
    });
  });

  it('reads another file when REPUBLISH_CONFIG names one, relative to the directory', () => {
    write({ taskQueue: 'not-this' });
    write({ taskQueue: 'this' }, 'other.json');
    expect(load({ REPUBLISH_CONFIG: 'other.json' }).taskQueue).toBe('this');
    expect(failure({ REPUBLISH_CONFIG: 'missing.json' }).problems).toEqual([
      expect.stringMatching(/missing\.json cannot be read; is the path in REPUBLISH_CONFIG right\?$/),
    ]);
  });

  it('takes table names and SQL for the queries', () => {
    const queries = {
      schema: 'myextension',
      account: { table: 'accounts', schema: 'public' },
      machines: { sql: 'SELECT * FROM m WHERE operator = $1' },
      documents: { 'bitspire-fees': { table: 'fees' } },
    };
    write({ queries });
    expect(load().queries).toEqual(queries);
  });

  it('names all that a worker lacks at once, also what has a default while something else is set', () => {
    const { problems } = failure({}, ['databaseUrl', 'lnbitsDatabaseUrl', 'relays', 'secretsKey']);
    expect(problems.map((problem) => problem.replace(/ .*/s, ''))).toEqual([
      'DATABASE_URL',
      'LNBITS_DATABASE_URL',
      'REPUBLISH_RELAYS',
      'REPUBLISH_SECRETS_KEY',
    ]);
    expect(problems[1]).toContain('without it, LNbits is read from DATABASE_URL');
    expect(failure({}, ['lnbitsDatabaseUrl']).message).not.toContain('without it');
  });

  it('reports every wrong key of file and environment at once, and what is missing besides', () => {
    write({ bunkerConcurrency: 0, maxStateBytes: 'many', nonsense: 1, queries: { acount: {} } });
    const { problems, message } = failure(
      {
        REPUBLISH_RELAYS: 'https://a.example',
        REPUBLISH_QUORUM: '0',
        REPUBLISH_DOCUMENTS_PER_PAGE: '1e2',
        REPUBLISH_LOG_LEVEL: 'loud',
        REPUBLISH_TASK_QUEU: 'x',
      },
      ['databaseUrl', 'secretsKey'],
    );
    const expected = [
      /^REPUBLISH_TASK_QUEU is not known; did you mean REPUBLISH_TASK_QUEUE\?$/,
      /^DATABASE_URL is not set/,
      /^REPUBLISH_SECRETS_KEY \(or REPUBLISH_SECRETS_KEY_FILE\) is not set/,
      /^REPUBLISH_RELAYS \(relays\.0\): must be a ws:\/\/ or wss:\/\/ URL$/,
      /^REPUBLISH_QUORUM \(quorum\): /,
      /^REPUBLISH_BUNKER_CONCURRENCY \(bunkerConcurrency\): /,
      /^REPUBLISH_DOCUMENTS_PER_PAGE \(documentsPerPage\): /,
      /^REPUBLISH_MAX_STATE_BYTES \(maxStateBytes\): /,
      /^REPUBLISH_LOG_LEVEL \(logLevel\): /,
      /^nonsense is not known$/,
      /^queries\.acount is not known; did you mean account\?$/,
    ];
    for (const pattern of expected) expect(problems).toContainEqual(expect.stringMatching(pattern));
    expect(problems).toHaveLength(expected.length);
    expect(message).toContain('11 problems');
    for (const problem of problems) expect(message).toContain(problem);
  });

  it.each([
    ['true', true],
    ['1', true],
    ['TRUE', true],
    ['false', false],
    ['0', false],
  ])('reads %s as a boolean, over the file', (text, value) => {
    write({ allowPrivateBunkerRelays: !value });
    expect(load({ REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS: text }).allowPrivateBunkerRelays).toBe(value);
  });

  it.each(['127.0.0.1:9464', '0.0.0.0:0', 'worker.internal:65535', '[::1]:9464'])(
    'takes %s to listen on',
    (address) => {
      expect(load({ REPUBLISH_METRICS_ADDRESS: address }).metricsAddress).toBe(address);
    },
  );

  it('names every wrong key of what operates a worker at once', () => {
    const env = {
      REPUBLISH_METRICS_ADDRESS: '9464',
      REPUBLISH_TRACES_URL: 'grpc://localhost:4317',
      REPUBLISH_DEPLOYMENT: 'with.dot',
      REPUBLISH_BUILD_ID: 'with space',
      REPUBLISH_SHUTDOWN_GRACE_MS: '-1',
      REPUBLISH_PAGES_PER_EXECUTION: '0',
    };
    expect(failure(env).problems.map((problem) => problem.split(' ')[0])).toEqual([
      'REPUBLISH_SHUTDOWN_GRACE_MS',
      'REPUBLISH_PAGES_PER_EXECUTION',
      'REPUBLISH_METRICS_ADDRESS',
      'REPUBLISH_TRACES_URL',
      'REPUBLISH_DEPLOYMENT',
      'REPUBLISH_BUILD_ID',
    ]);
    expect(failure({ REPUBLISH_METRICS_ADDRESS: '127.0.0.1:65536' }).problems).toEqual([
      'REPUBLISH_METRICS_ADDRESS (metricsAddress): has a port above 65535',
    ]);
  });

  it.each(['yes', 'on', '2', 'truefalse'])('guesses at no boolean (%s)', (text) => {
    expect(failure({ REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS: text }).problems).toEqual([
      'REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS (allowPrivateBunkerRelays): must be true or false',
    ]);
  });

  it.each<[string, unknown, string]>([
    ['quorun', 1, 'quorum'],
    ['secretKey', 'x', 'secretsKey'],
    ['database_url', 'x', 'databaseUrl'],
    ['Relays', [], 'relays'],
  ])('suggests what the mistyped key %s of the file means', (key, value, meant) => {
    write({ [key]: value });
    expect(failure().problems).toEqual([`${key} is not known; did you mean ${meant}?`]);
  });

  it('leaves variables of other programs alone', () => {
    const env = { REPUBLISHER: 'x', RELAYS: 'x', REPUBLISH_SOMETHING_ELSE_ENTIRELY: 'x', QUORUM: 'x' };
    expect(load(env)).toEqual(load());
    expect(load({ REPUBLISH_CONFIG: '', REPUBLISH_TEMPORAL_CLI: '/usr/bin/temporal' })).toEqual(load());
  });

  it('says what a command cannot do without, all of it', () => {
    const { problems } = failure({}, ['databaseUrl', 'relays', 'secretsKey']);
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'DATABASE_URL',
      'REPUBLISH_RELAYS',
      'REPUBLISH_SECRETS_KEY',
    ]);
    const env = { DATABASE_URL, REPUBLISH_RELAYS: 'wss://a.example', REPUBLISH_SECRETS_KEY: SECRETS_KEY };
    expect(load(env, ['databaseUrl', 'relays', 'secretsKey'])).toMatchObject({ databaseUrl: DATABASE_URL });
  });

  it.each<[string, string, NodeJS.ProcessEnv]>([
    ['a file that is no JSON', `{"secretsKey": "${SECRETS_KEY}", "databaseUrl": "${DATABASE_URL}"`, {}],
    ['a file that holds a list', JSON.stringify([SECRETS_KEY]), {}],
    ['a key that is too short', JSON.stringify({ secretsKey: 'canary' }), {}],
    ['a secret under a mistyped key', JSON.stringify({ secretsKeyy: SECRETS_KEY }), {}],
    ['a secret in the wrong place', JSON.stringify({ logLevel: SECRETS_KEY, quorum: SECRETS_KEY }), {}],
    ['a database URL of another kind', '{}', { DATABASE_URL: 'mysql://u:canary@h/db' }],
    ['a secret in a number', '{}', { REPUBLISH_DOCUMENTS_PER_PAGE: 'canary' }],
    ['a relay with a password', '{}', { REPUBLISH_RELAYS: 'wss://user:canary@relay.example' }],
    ['a relay whose token is in the path', '{}', { REPUBLISH_RELAYS: 'wss://relay.example:99999/canary' }],
    ['a collector with a password', '{}', { REPUBLISH_TRACES_URL: 'http://user:canary@otel.example' }],
    ['a key file that is not there', '{}', { REPUBLISH_SECRETS_KEY_FILE: '/nowhere/canary' }],
    ['SQL without its parameter', JSON.stringify({ queries: { account: { sql: 'SELECT canary' } } }), {}],
  ])('reports %s without a value in the message', (_, file, env) => {
    write(file);
    const { message, problems } = failure(env);
    expect(problems.length).toBeGreaterThan(0);
    expect(message).not.toContain('canary');
  });

  it('reads the secrets key from a file, without the newline at its end', () => {
    const file = write(`${SECRETS_KEY}\n`, 'secrets.key');
    expect(load({ REPUBLISH_SECRETS_KEY_FILE: file }, ['secretsKey']).secretsKey).toBe(SECRETS_KEY);
    write({ secretsKeyFile: file });
    expect(load({}, ['secretsKey']).secretsKey).toBe(SECRETS_KEY);
  });

  it('takes the key itself over a key file, and a key file of the environment over a key of the file', () => {
    const file = write(SECRETS_KEY, 'secrets.key');
    write({ secretsKey: 'another-key-from-the-file' });
    const other = 'another-key-from-the-environment';
    expect(load({ REPUBLISH_SECRETS_KEY_FILE: file }).secretsKey).toBe(SECRETS_KEY);
    expect(load({ REPUBLISH_SECRETS_KEY_FILE: file, REPUBLISH_SECRETS_KEY: other }).secretsKey).toBe(other);
  });

  it('names where the secrets key is from: the variable that was set, the file, or a data folder', () => {
    const file = write(SECRETS_KEY, 'secrets.key');
    const sourceOf = (env: NodeJS.ProcessEnv): string => secretsKeySource(load(env), env);
    expect(sourceOf({ REPUBLISH_SECRETS_KEY: SECRETS_KEY })).toBe('REPUBLISH_SECRETS_KEY');
    expect(sourceOf({ REPUBLISH_SECRETS_KEY_FILE: file })).toBe('REPUBLISH_SECRETS_KEY_FILE');
    write({ secretsKey: SECRETS_KEY });
    expect(sourceOf({})).toBe('secretsKey of the configuration file');
    write({ secretsKeyFile: file });
    expect(sourceOf({})).toBe('secretsKeyFile of the configuration file');
    useEmbeddedServers({ databaseUrl: DATABASE_URL, secretsKeyFile: file });
    expect(secretsKeySource({ secretsKeyFile: file }, {})).toBe(file);
  });

  it('says once that the key file cannot be read, and not that the key is missing', () => {
    const env = { REPUBLISH_SECRETS_KEY_FILE: path.join(directory, 'nowhere') };
    expect(failure(env, ['secretsKey']).problems).toEqual([
      'REPUBLISH_SECRETS_KEY_FILE (secretsKeyFile) cannot be read',
    ]);
  });

  it('refuses an empty key file', () => {
    const file = write('\n', 'secrets.key');
    expect(failure({ REPUBLISH_SECRETS_KEY_FILE: file }, ['secretsKey']).problems).toEqual([
      expect.stringContaining('at least 16 characters'),
    ]);
  });

  it('refuses a quorum above the number of relays', () => {
    const env = { REPUBLISH_RELAYS: 'wss://a.example,wss://b.example', REPUBLISH_QUORUM: '3' };
    expect(failure(env).problems).toEqual(['REPUBLISH_QUORUM (quorum) is 3, but there are only 2 relays']);
    expect(load({ ...env, REPUBLISH_QUORUM: '2' }).quorum).toBe(2);
  });

  it.each([
    'wss://a.example,wss://a.example',
    'wss://a.example,wss://a.example/',
    'wss://a.example,wss://A.example:443',
  ])('refuses one relay twice (%s), which would make a quorum of itself', (relays) => {
    expect(failure({ REPUBLISH_RELAYS: relays }).problems).toEqual([
      'REPUBLISH_RELAYS (relays): names a relay twice',
    ]);
  });

  it('tells two paths on one host apart, as gateways have them', () => {
    const relays = ['wss://a.example/one', 'wss://a.example/two'];
    expect(load({ REPUBLISH_RELAYS: relays.join() }).relays).toEqual(relays);
  });
});

describe('loadTemporalConfiguration', () => {
  it('takes address and namespace from the environment that it is given, over a profile', () => {
    const file = write('[profile.default]\naddress = "profile.example:7233"\n', 'temporal.toml');
    const env = { TEMPORAL_CONFIG_FILE: file };
    expect(loadTemporalConfiguration(env)).toMatchObject({
      address: 'profile.example:7233',
      namespace: 'default',
    });
    expect(
      loadTemporalConfiguration({ ...env, TEMPORAL_ADDRESS: 'a.example:7233', TEMPORAL_NAMESPACE: 'atms' }),
    ).toMatchObject({ address: 'a.example:7233', namespace: 'atms' });
  });

  it('has a default address', () => {
    const file = write('[profile.default]\n', 'temporal.toml');
    expect(loadTemporalConfiguration({ TEMPORAL_CONFIG_FILE: file }).address).toBe('localhost:7233');
  });
});
