import { randomBytes } from 'node:crypto';
import { freePort } from '../../embedded/free-port';
import { startTemporalServer } from '../../embedded/temporal-server/start';
import { startWorkerProcess } from '../../embedded/worker-process';
import { republish } from '../support/command-line';
import { startDenyingTemporal } from '../support/denying-temporal';
import { type Saga, startSaga } from '../support/saga';
import { testServers } from '../support/servers';

interface LogLine {
  level: string;
  msg: string;
  type?: string;
  reason?: string;
  remedy?: string;
}

/** What a worker has written: lines of log, and what is no JSON. */
function written(stderr: string): { log: LogLine[]; plain: string } {
  const lines = stderr.split('\n');
  return {
    log: lines.filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogLine),
    plain: lines.filter((line) => !line.startsWith('{')).join('\n'),
  };
}

describe('61: a worker that cannot start', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
  });
  afterAll(() => saga.stop());

  const worker = async (env: Record<string, string>, args: string[] = []) => {
    const { code, stderr } = await republish(['worker', ...args], { ...saga.env, ...env });
    expect(stderr).not.toContain('canary');
    expect(stderr).not.toContain('worker is polling');
    return { code, ...written(stderr) };
  };
  const denying = async (denies: (method: string, before: number) => boolean) => {
    const gate = await startDenyingTemporal(testServers().temporalAddress, denies);
    saga.onStop(() => gate.stop());
    return { TEMPORAL_ADDRESS: gate.address };
  };

  test.each([
    [
      'no such namespace',
      async () => ({ TEMPORAL_NAMESPACE: 'nowhere' }),
      'NamespaceNotFound',
      'temporal operator namespace create --namespace nowhere',
    ],
    [
      'Temporal does not let it describe the namespace',
      () => denying((method) => method === 'DescribeNamespace'),
      'TemporalRefused',
      'TEMPORAL_API_KEY',
    ],
    ['Temporal does not let it in at all', () => denying(() => true), 'TemporalRefused', 'TEMPORAL_API_KEY'],
    [
      'a search attribute of another type',
      async () => {
        const temporal = await startTemporalServer({
          executable: testServers().temporalCli,
          headless: true,
          searchAttributes: { RepublishOperator: 'Int' },
        });
        saga.onStop(() => temporal.stop());
        return { TEMPORAL_ADDRESS: temporal.address };
      },
      'SearchAttributesWrong',
      '--name RepublishOperator --type Keyword',
    ],
    [
      'a login without a right on the ledger',
      async () => {
        const login = `login_${randomBytes(6).toString('hex')}`;
        await saga.database.query(`CREATE ROLE ${login} LOGIN PASSWORD 'canary'`);
        saga.onStop(() => saga.database.query(`DROP ROLE ${login}`));
        const url = new URL(saga.databaseUrl);
        url.username = login;
        url.password = 'canary';
        return { DATABASE_URL: url.href, LNBITS_DATABASE_URL: saga.databaseUrl };
      },
      'DatabaseMisconfigured',
      'GRANT republish_worker TO "login_',
    ],
    [
      'a query on no table',
      async () => ({ REPUBLISH_PRESET: 'satmachineadmin' }),
      'SourceMisconfigured',
      '"preset"',
    ],
  ])('%s: said at once, with what to do, and it ends', async (_, env, type, remedy) => {
    const { code, log, plain } = await worker(await env());
    const fatal = { level: 'fatal', msg: 'the worker does not start', type };
    // All of it: what else it said is what one wants to know where this fails.
    expect({ code, log, plain }).toMatchObject({
      code: 5,
      log: expect.arrayContaining([
        expect.objectContaining({ ...fatal, remedy: expect.stringContaining(remedy) }),
      ]),
    });
    // A server that a busy machine keeps from answering may be waited for, but not this.
    expect(log.filter((line) => line.msg.startsWith('waiting') && line.type === type)).toEqual([]);
    expect(plain).toContain(`error: ${type}: `);
    expect(plain).toContain(remedy);
  });

  test('a certificate that is not there: its variable and its file', async () => {
    const { code, plain } = await worker({ TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/client.pem' });
    expect(code).toBe(5);
    expect(plain).toContain('error: ConfigurationError');
    expect(plain).toContain('TEMPORAL_TLS_CLIENT_CERT_PATH names /nowhere/client.pem');
    // As every other command does.
    expect(
      await republish(['status', 'op'], {
        ...saga.env,
        TEMPORAL_TLS_CLIENT_CERT_PATH: '/nowhere/client.pem',
      }),
    ).toMatchObject({ code: 5, stderr: expect.stringContaining('names /nowhere/client.pem') });
  });

  test('denied after all was looked at, when the SDK has its threads: it ends all the same', async () => {
    const { code, plain } = await worker(
      await denying((method, before) => method === 'DescribeNamespace' && before > 0),
    );
    expect(code).toBe(1);
    expect(plain).toContain('Request unauthorized.');
  });

  test('Temporal and Postgres away: waited for, by name, and then it ends', async () => {
    const { code, log, plain } = await worker(
      {
        TEMPORAL_ADDRESS: '127.0.0.1:9',
        DATABASE_URL: 'postgres://user:canary@127.0.0.1:9/x',
        LNBITS_DATABASE_URL: saga.databaseUrl,
      },
      ['--patience', '0.3'],
    );
    expect(code).toBe(5);
    for (const type of ['TemporalUnavailable', 'DatabaseUnavailable']) {
      expect(log).toContainEqual(expect.objectContaining({ msg: 'waiting, before it starts', type }));
      expect(log).toContainEqual(expect.objectContaining({ msg: 'the worker does not start', type }));
    }
    expect(plain).toMatch(/error: DatabaseUnavailable: .*\nremedy: Check DATABASE_URL/);
  });

  test('a Temporal that comes a moment later: it polls, without anybody’s doing', async () => {
    const port = await freePort();
    let comes: ReturnType<typeof startTemporalServer> | undefined;
    const env = { ...saga.env, TEMPORAL_ADDRESS: `127.0.0.1:${port}` };
    const started = await startWorkerProcess(env, (line) => {
      if (line.includes('waiting, before it starts'))
        comes ??= startTemporalServer({ executable: testServers().temporalCli, headless: true, port });
    });
    expect(comes).toBeDefined();
    await started.stop('SIGTERM', 35_000);
    expect(started.epitaph()).toMatch(/^exit code 0/);
    await (await comes)?.stop();
  }, 180_000);
});
