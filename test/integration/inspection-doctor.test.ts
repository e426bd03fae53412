import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateSecretKey, getPublicKey } from 'nostr-tools';
import { createDatabase, dropDatabase } from '../../database/admin';
import { openDatabase } from '../../database/connection';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { startTemporalServer } from '../../embedded/temporal-server/start';
import type { Finding } from '../../inspection/doctor/finding';
import { startBareRelay } from '../support/bare-relay';
import { republish } from '../support/command-line';
import { ledgerText } from '../support/inspection';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

/** A line that must be among the findings: where, how bad, what it says, and what it tells to do. */
type Expected = [area: string, subject: string | RegExp, status: string, message: string, remedy: string];

describe('republish doctor', () => {
  let saga: Saga;
  let well: SagaOperator;
  let directory: string;

  beforeAll(async () => {
    saga = await startSaga();
    directory = mkdtempSync(path.join(tmpdir(), 'republish-doctor-'));
    saga.onStop(() => rmSync(directory, { recursive: true }));
    well = await saga.addOperator({ machines: 1 });
  });
  afterAll(() => saga.stop());

  const examine = async (env: Record<string, string> = {}, args: string[] = []) => {
    const { code, stdout, stderr } = await republish(['doctor', '--json', ...args], { ...saga.env, ...env });
    if (stdout === '') throw new Error(stderr);
    expect(stdout + stderr).not.toMatch(/canary|ncryptsec/);
    return { code, findings: JSON.parse(stdout) as Finding[] };
  };
  const expectEach = (findings: Finding[], expected: Expected[]): void => {
    for (const [area, subject, status, message, remedy] of expected) {
      const found = findings.find(
        (each) =>
          each.area === area &&
          (typeof subject === 'string' ? each.subject === subject : subject.test(each.subject)) &&
          each.message.includes(message),
      );
      expect({ ...found, of: findings.filter((each) => each.area === area) }).toMatchObject({
        area,
        status,
        remedy: expect.stringContaining(remedy),
      });
    }
  };
  const configFile = (name: string, value: unknown): string => {
    const file = path.join(directory, name);
    writeFileSync(file, JSON.stringify(value));
    return file;
  };

  test('finds nothing to object to where all is well, changes nothing and asks a signer for its key alone', async () => {
    const worker = await saga.startWorker();
    const before = await ledgerText(saga);
    const atPairing = well.bunker.requests.length;
    let last: Awaited<ReturnType<typeof examine>> | undefined;
    // A worker shows itself with its first poll.
    await until(async () => {
      last = await examine();
      return last.findings.every(({ status }) => status === 'ok' || status === 'unknown');
    }, 45_000).catch(() => undefined);
    // All servers are on this machine, so there is no other clock.
    expect(last?.findings.filter(({ status }) => status !== 'ok')).toMatchObject([
      { area: 'clock', status: 'unknown' },
    ]);
    expect(last?.code).toBe(0);
    expect(await ledgerText(saga)).toBe(before);
    expect(new Set(well.bunker.requests.slice(atPairing).map(({ method }) => method))).toEqual(
      new Set(['get_public_key', 'switch_relays']),
    );
    const text = await republish(['doctor', '--operator', well.id], saga.env);
    expect(text.stdout).toMatch(/^ok {4}configuration: /);
    expect(text.stdout).toContain(`signer ${well.id}: the bunker signer answers`);
    await worker.stop();
  }, 120_000);

  test('servers and a relay that are not there: each is named, and none hides the others', async () => {
    const { code, findings } = await examine({
      TEMPORAL_ADDRESS: '127.0.0.1:9',
      DATABASE_URL: 'postgres://user:canary@no-such-host.invalid/lnbits',
      REPUBLISH_RELAYS: 'wss://no-such-relay.invalid',
    });
    expect(code).toBe(1);
    expectEach(findings, [
      ['temporal', '127.0.0.1:9', 'fail', 'cannot be reached', 'TEMPORAL_ADDRESS'],
      ['database', 'Postgres', 'fail', 'no-such-host.invalid', 'Check DATABASE_URL'],
      ['lnbits', 'database', 'fail', 'no-such-host.invalid', 'LNBITS_DATABASE_URL'],
      ['relay', 'wss://no-such-relay.invalid', 'fail', 'cannot be reached', 'REPUBLISH_RELAYS'],
      ['relay', 'quorum', 'fail', '0 are reachable', 'REPUBLISH_QUORUM'],
    ]);
  }, 120_000);

  test('a namespace that is missing, a wrong secrets key, a query on no table, relays with a wrong clock, small limits or a wrong ws_id', async () => {
    const late = await startBareRelay();
    late.information = JSON.stringify({ limitation: { max_message_length: 20_000 } });
    late.informationHeaders = { date: new Date(Date.now() - 3_600_000).toUTCString() };
    const early = await startBareRelay();
    early.information = '{}';
    early.informationHeaders = { date: new Date(Date.now() + 600_000).toUTCString() };
    const gateway = await startNostrclientGateway({ relays: [late.url], wsId: 'right-canary' });
    saga.onStop(() => Promise.all([late.stop(), early.stop(), gateway.stop()]));
    const { code, findings } = await examine({
      TEMPORAL_NAMESPACE: 'nowhere',
      // All of them answer, on a busy machine later.
      REPUBLISH_RELAY_TIMEOUT_MS: '20000',
      REPUBLISH_SECRETS_KEY: 'canary canary canary canary',
      REPUBLISH_RELAYS: [late.url, early.url, gateway.url.replace('right', 'wrong')].join(','),
      REPUBLISH_CONFIG: configFile('no-table.json', { queries: { machines: { table: 'no_machines' } } }),
    });
    expect(code).toBe(1);
    expectEach(findings, [
      ['temporal', 'namespace nowhere', 'fail', 'is not there', 'namespace create --namespace nowhere'],
      [
        'secrets key',
        'REPUBLISH_SECRETS_KEY',
        'fail',
        `does not open the stored signer, that of ${well.id}`,
        `republish signer remove ${well.id}`,
      ],
      ['lnbits', 'queries.machines', 'fail', 'no_machines', 'Point "queries.machines"'],
      ['relay', late.url, 'fail', "behind this host's", 'NTP'],
      ['relay', late.url, 'warn', 'takes messages of 20000 bytes', 'REPUBLISH_MAX_STATE_BYTES'],
      ['relay', early.url, 'warn', "ahead of this host's", 'NTP'],
      [
        'relay',
        /^nostrclient\+ws:\/\/127\.0\.0\.1:\d+\/…$/,
        'fail',
        'refuses its ws_id (HTTP 403)',
        'private_ws',
      ],
    ]);
    // Once, and not again beside each signer.
    expect(JSON.stringify(findings).match(/does not open/g)).toHaveLength(1);
  }, 120_000);

  test('no search attributes, no worker, missing rights, a signer of another key, a silent bunker', async () => {
    const temporal = await startTemporalServer({
      executable: testServers().temporalCli,
      headless: true,
      searchAttributes: { RepublishOperator: 'Int' },
    });
    saga.onStop(() => temporal.stop());
    const role = `reader_${process.pid}_${Date.now()}`;
    await saga.database.query(`CREATE ROLE ${role} LOGIN PASSWORD 'canary'`);
    saga.onStop(() => saga.database.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`));
    await saga.database.query(
      `GRANT USAGE ON SCHEMA republish, spirekeeper TO ${role};
       GRANT SELECT ON ALL TABLES IN SCHEMA republish, public, spirekeeper TO ${role};
       REVOKE SELECT ON spirekeeper.super_config FROM ${role}`,
    );
    const url = new URL(saga.databaseUrl);
    url.username = role;
    url.password = 'canary';

    const other = await saga.addOperator({ machines: 1 });
    await saga.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', [
      getPublicKey(generateSecretKey()),
      other.id,
    ]);
    const silent = await saga.addOperator({ machines: 1 });
    silent.bunker.pause();
    const { code, findings } = await examine({
      TEMPORAL_ADDRESS: temporal.address,
      DATABASE_URL: url.toString(),
    });
    expect(code).toBe(1);
    expectEach(findings, [
      [
        'temporal',
        'search attributes',
        'fail',
        'RepublishOperator is not of type Keyword',
        'search-attribute remove',
      ],
      [
        'temporal',
        `task queue ${saga.env.REPUBLISH_TASK_QUEUE}`,
        'fail',
        'no worker polls',
        'republish worker',
      ],
      ['database', 'rights', 'fail', 'INSERT on republish.documents', `TO "${role}"`],
      ['lnbits', 'rights', 'fail', 'spirekeeper.super_config', 'GRANT SELECT'],
      ['signer', other.id, 'fail', "the account's public key is", `republish signer check ${other.id}`],
      ['signer', silent.id, 'fail', 'did not answer', `republish signer check ${silent.id}`],
    ]);
    expect(findings).toContainEqual(expect.objectContaining({ subject: well.id, status: 'ok' }));

    const bare = await startTemporalServer({ executable: testServers().temporalCli, headless: true });
    saga.onStop(() => bare.stop());
    const again = await examine({ TEMPORAL_ADDRESS: bare.address }, ['--operator', 'nobody']);
    expectEach(again.findings, [
      [
        'temporal',
        'search attributes',
        'warn',
        'not registered',
        'temporal operator search-attribute create --namespace default --name RepublishOperator --type Keyword --name RepublishPubkey --type Keyword --name RepublishOutcome --type Keyword',
      ],
      ['signer', 'nobody', 'fail', 'has no signer', 'republish signer add nobody'],
    ]);
  }, 180_000);

  test('a schema that is missing, older or newer than the release', async () => {
    const name = `doctor_${process.pid}_${Date.now()}`;
    const empty = await createDatabase(testServers().postgresUrl, name);
    saga.onStop(() => dropDatabase(testServers().postgresUrl, name));
    const { findings } = await examine({ DATABASE_URL: empty });
    expectEach(findings, [
      ['database', 'schema republish', 'fail', 'is not there', 'republish migrate'],
      ['lnbits', 'database', 'fail', 'is it LNbits', 'LNBITS_DATABASE_URL'],
    ]);
    await republish(['migrate'], { ...saga.env, DATABASE_URL: empty });
    const database = openDatabase({ url: empty });
    // As if an earlier release had been here; there is none before the first.
    await database.query('UPDATE republish.migrations SET version = 0');
    expectEach((await examine({ DATABASE_URL: empty })).findings, [
      ['database', 'schema republish', 'fail', 'is at version 0', 'republish migrate'],
      ['signers', '', 'warn', 'none stored yet', 'republish signer add'],
    ]);
    await database.query("INSERT INTO republish.migrations (version, name) VALUES (9999, 'later')");
    await database.close();
    expectEach((await examine({ DATABASE_URL: empty })).findings, [
      ['database', 'schema republish', 'fail', 'is at version 9999', 'newer release'],
    ]);
  }, 120_000);

  test('says which document types are of modules, and which of those stand in place of a shipped one', async () => {
    const define = (name: string, type: string): string => {
      const file = path.join(directory, name);
      writeFileSync(
        file,
        `module.exports = ({ defineDocumentType, z }) => defineDocumentType({ type: '${type}', source: { table: 'cassette_configs' }, schema: z.unknown(), assemble: () => null });`,
      );
      return file;
    };
    const modules = [define('greetings.cjs', 'bitspire-greetings'), define('fees.cjs', 'bitspire-fees')];
    const { findings } = await examine({
      REPUBLISH_CONFIG: configFile('own.json', { documentTypes: modules }),
    });
    expect(findings).toContainEqual({
      area: 'configuration',
      subject: 'documentTypes',
      status: 'ok',
      message: 'of modules: bitspire-fees, bitspire-greetings; in place of the shipped one: bitspire-fees',
    });
  }, 120_000);

  test('every wrong key of the configuration is a line, without its value, and the rest is looked at all the same', async () => {
    const { code, findings } = await examine({
      REPUBLISH_QUORUM: '3',
      REPUBLISH_BUNKER_CONCURENCY: '3',
      REPUBLISH_RELAY_TIMEOUT_MS: 'canary',
      REPUBLISH_CONFIG: configFile('unknown.json', {
        quorums: 'canary',
        queries: { documents: { 'bitspire-fee': { table: 'x' } } },
      }),
    });
    expect(code).toBe(1);
    expectEach(
      findings,
      [
        'REPUBLISH_QUORUM (quorum) is 3, but there are only 1 relays',
        'did you mean REPUBLISH_BUNKER_CONCURRENCY',
        'REPUBLISH_RELAY_TIMEOUT_MS',
        'quorums is not known; did you mean quorum?',
        'did you mean bitspire-fees?',
      ].map((message): Expected => ['configuration', '', 'fail', message, 'republish.config.json']),
    );
    expect(findings).toContainEqual(expect.objectContaining({ area: 'relay', status: 'ok' }));
    expect(findings).toContainEqual(expect.objectContaining({ subject: well.id, status: 'ok' }));

    // All that is missing is named at once, and counted once in the summary.
    const { stdout } = await republish(['doctor'], { TEMPORAL_ADDRESS: '127.0.0.1:9' });
    for (const variable of [
      'DATABASE_URL',
      'LNBITS_DATABASE_URL',
      'REPUBLISH_RELAYS',
      'REPUBLISH_SECRETS_KEY',
    ])
      expect(stdout).toMatch(new RegExp(`^FAIL  configuration: ${variable} `, 'm'));
    expect(stdout).toContain('Or, without any server: --data <dir>');
    expect(stdout).toMatch(/^0 ok, 0 warn, 1 unknown, 5 FAIL: configuration \(4\); temporal 127.0.0.1:9$/m);
  }, 120_000);
});
