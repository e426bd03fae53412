import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { generateSecretKey, getPublicKey, nip19 } from 'nostr-tools';
import { createDatabase, dropDatabase } from '../../database/admin';
import { startBunker } from '../../dev/bunker';
import { seedOperator } from '../../dev/seed';
import { startWorkerProcess } from '../../embedded/worker-process';
import { type CommandResult, republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import type { Saga } from '../support/saga';
import { republishInTerminal } from '../support/pseudo-terminal';
import { testServers } from '../support/servers';
import { until } from '../support/until';

// A test here is a dozen processes, one after the other.
jest.setTimeout(180_000);

describe('republish', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga();
    const worker = await startWorkerProcess(saga.env);
    saga.onStop(() => worker.stop('SIGTERM', 35_000));
  });
  afterAll(() => saga.stop());

  describe('start', () => {
    test('prints the map as JSON on stdout and everything else on stderr, and exits 0', async () => {
      const { id } = await saga.addOperator({ machines: 2 });
      const first = await republish(['start', id, '--json'], saga.env);
      expect(first.code).toBe(0);
      const map = JSON.parse(first.stdout) as Record<string, string[]>;
      expect(Object.keys(map)).toEqual(['bitspire-cassettes', 'bitspire-fees']);
      expect(first.stderr).toContain('4 published');

      const second = await republish(['start', id, '--json'], saga.env);
      expect(JSON.parse(second.stdout)).toEqual(map);
      expect(second.stderr).toContain('0 published, 4 unchanged');

      // The newest run is shown in full and last, each earlier one in one line.
      const [newest, earlier] = await saga.audits(id);
      const { stdout } = await republish(['audit', id], saga.env);
      expect(stdout).toMatch(
        new RegExp(` complete +4 of 4 +${earlier?.runId}\n\nrun ${newest?.runId}\ncomplete, .*\nrow 2, `),
      );
      expect(stdout).not.toContain('nevent1');
      expect(stdout).toMatch(new RegExp(`republish audit ${id} --full\n$`));
      const full = await republish(['audit', id, '--full'], saga.env);
      expect(full.stdout).toMatch(
        new RegExp(`^run ${earlier?.runId}\n.*nevent1.*\nrun ${newest?.runId}\n.*nevent1`, 's'),
      );
    });

    test('takes document types, machines, a reason and an expected key', async () => {
      const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
      const args = [
        '--document-type',
        'bitspire-fees',
        '--machine',
        machines[0]?.id ?? '',
        '--reason',
        'moved',
        '--expected-pubkey',
      ];
      const { code, stdout } = await republish(
        ['start', id, ...args, nip19.npubEncode(bunker.userPubkey), '--json'],
        saga.env,
      );
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toEqual({ 'bitspire-fees': [expect.stringMatching(/^[0-9a-f]{64}$/)] });
      expect((await saga.audits(id))[0]?.reason).toBe('moved');
    });

    test('--no-wait returns at once; status tells how it goes, and audit what came of it', async () => {
      const gate = new Gate();
      // The run is not over before the second command has found it.
      gate.close();
      const { id, bunker } = await saga.addOperator({ machines: 2, bunker: { onRequest: gate.onRequest } });
      const started = await republish(['start', id, '--no-wait', '--json'], saga.env);
      const { runId } = JSON.parse(started.stdout) as { runId: string };
      expect(started.code).toBe(0);
      // A worker that is slow to answer is not waited for: then there is no progress.
      let status: CommandResult | undefined;
      await until(async () => {
        status = await republish(['status', id, '--json'], saga.env);
        return (JSON.parse(status.stdout) as { progress: unknown }).progress !== null;
      });
      expect(JSON.parse(status?.stdout ?? '')).toMatchObject({
        runId,
        status: 'RUNNING',
        progress: { phase: expect.any(String) },
      });

      const attached = await republish(['start', id, '--json'], saga.env, '', (written) => {
        if (written.includes('attached')) gate.open();
      });
      expect(attached.stderr).toContain(`attached to the run of ${id}`);
      const map: unknown = JSON.parse(attached.stdout);
      for (const subject of [id, runId]) {
        const audit = await republish(['audit', subject, '--json'], saga.env);
        expect(JSON.parse(audit.stdout)).toMatchObject([{ runId, outcome: 'complete', events: map }]);
      }
      const text = await republish(['audit', id], saga.env);
      expect(text.stdout).toContain(nip19.npubEncode(bunker.userPubkey));
    });

    test('exits 3 when part is done: the map of what stands on stdout, each failure and the remedy on stderr', async () => {
      const { id, machines } = await saga.addOperator({ machines: 2 });
      await saga.database.query(
        'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
        [machines[1]?.id],
      );
      const { code, stdout, stderr } = await republish(['start', id, '--json'], saga.env);
      expect(code).toBe(3);
      const map = JSON.parse(stdout) as Record<string, string[]>;
      expect([map['bitspire-cassettes']?.length, map['bitspire-fees']?.length]).toEqual([2, 1]);
      expect(stderr).toContain(
        `bitspire-fees of machine ${machines[1]?.name} (${machines[1]?.id}): StateInvalid`,
      );
      expect(stderr).toContain('remedy:');
    });

    test('exits 4 for the signer and 5 for what has to be right before', async () => {
      const { id } = await saga.addOperator({ machines: 1 });
      await republish(['signer', 'remove', id], saga.env);
      expect(await republish(['start', id, '--json'], saga.env)).toMatchObject({
        code: 4,
        stdout: '',
        stderr: expect.stringContaining('republish signer add'),
      });
      expect(await republish(['start', 'nobody'], saga.env)).toMatchObject({
        code: 5,
        stderr: expect.stringContaining('OperatorNotFound'),
      });
      expect(await republish(['start', id, '--document-type', 'bitspire-fee'], saga.env)).toMatchObject({
        code: 5,
        stderr: expect.stringContaining('"bitspire-fee" (did you mean bitspire-fees?)'),
      });
      expect(await republish(['watch', 'nobody-ever'], saga.env)).toMatchObject({
        code: 5,
        stderr: expect.stringMatching(
          /^error: RunNotFound: .*nobody-ever\nremedy: .* republish start nobody-ever; /,
        ),
      });
    });

    test('an operator without machines is told where they were looked for', async () => {
      const { id } = await saga.addOperator({ machines: 0 });
      const where = `table spirekeeper.dca_machines, operator_user_id = '${id}'`;
      // No exit code 0 of those that say how it stands: nothing was compared, and the place may be wrong.
      for (const [command, exit] of [
        ['start', 0],
        ['plan', 1],
        ['verify', 1],
        ['status', 0],
      ] as const) {
        const { code, stdout, stderr } = await republish([command, id], saga.env);
        expect({ command, code }).toEqual({ command, code: exit });
        expect(stdout + stderr).toContain('warning: the operator has no machines: they were looked for in');
        expect(stdout + stderr).toContain(where);
      }
      expect(await republish(['start', id, '--machine', 'm9'], saga.env)).toMatchObject({
        code: 5,
        stderr: expect.stringContaining(where),
      });
    });

    test('an operator who is mistyped is named, with the one that was meant, whatever asks', async () => {
      const { id } = await saga.addOperator({ machines: 1 });
      await republish(['start', id], saga.env);
      const typo = `${id}x`;
      const oldPubkey = ['--old-pubkey', getPublicKey(generateSecretKey())];
      for (const [args, type] of [
        [['plan', typo], 'OperatorNotFound'],
        [['verify', typo], 'OperatorNotFound'],
        [['orphans', typo, ...oldPubkey], 'OperatorNotFound'],
        [['signer', 'add', typo, '--local'], 'OperatorNotFound'],
        [['audit', typo], 'AuditNotFound'],
        [['status', typo], 'RunNotFound'],
        [['cancel', typo], 'RunNotFound'],
        // The last case, because an operator with a run is known.
        [['start', typo, '--machine', 'm1'], 'OperatorNotFound'],
      ] as const) {
        const meant = new RegExp(`^(started .*\n)?(.*\n)*error: ${type}: .* \\(did you mean ${id}\\?\\)`);
        // Temporal may take a while to list a run, and a busy one longer than is waited for a suggestion.
        await until(async () => {
          const { code, stdout, stderr } = await republish([...args], saga.env);
          expect([args, code, stdout]).toEqual([args, 5, '']);
          expect(stderr).toContain(`error: ${type}: `);
          return meant.test(stderr);
        }, 120_000);
      }
    });

    test.each([
      ['start', ''],
      ['status', 'op 1'],
      ['retry', 'op-1', '--machine', 'm\n1'],
      ['plan', 'op-1', '--machine', 'm1', ' '],
      ['audit', 'x'.repeat(201)],
      ['signer', 'check', 'op\u00a01'],
      ['doctor', '--operator', 'op\t1'],
      ['fleet', 'start', 'op-1', 'op 2'],
      ['fleet', 'audit', ''],
    ])(
      'an id that is none is refused with the id in quotes, before anything is opened: %j %j',
      async (...args) => {
        const { code, stdout, stderr } = await republish(args.filter((each) => each !== undefined));
        expect([code, stdout]).toEqual([5, '']);
        expect(stderr).toMatch(
          /^error: InvalidInput: .* must be 1 to 200 characters without blanks or control characters: ".*"/,
        );
      },
    );
  });

  describe('signer', () => {
    test('adds a bunker from standard input or a file, lists, checks and removes it, and never shows a secret', async () => {
      const bunker = await startBunker({ relays: [saga.relays[0]?.url ?? ''], secret: 'canary-secret' });
      saga.onStop(() => bunker.stop());
      await seedOperator(saga.database, { id: 'by-hand', pubkey: bunker.userPubkey, machines: 1 });
      const added = await republish(
        ['signer', 'add', 'by-hand', '--bunker', '--json'],
        saga.env,
        `${bunker.uri()}\n`,
      );
      expect(added.code).toBe(0);
      expect(JSON.parse(added.stdout)).toMatchObject({
        kind: 'bunker',
        pubkey: bunker.userPubkey,
        matchesAccount: true,
      });

      // The secret is used up; the client key is not.
      const directory = mkdtempSync(path.join(tmpdir(), 'republish-uri-'));
      saga.onStop(() => rmSync(directory, { recursive: true }));
      writeFileSync(path.join(directory, 'uri'), bunker.uri());
      const again = await republish(
        ['signer', 'add', 'by-hand', '--bunker', '--uri-file', path.join(directory, 'uri')],
        saga.env,
      );
      expect(again.code).toBe(0);
      expect(bunker.authorisedClients.size).toBe(1);

      // For anybody else it is used up: one remedy, and not that of a secret that cannot be read.
      await seedOperator(saga.database, { id: 'too-late', pubkey: bunker.userPubkey, machines: 1 });
      const late = await republish(
        ['signer', 'add', 'too-late', '--bunker', '--uri-file', path.join(directory, 'uri')],
        saga.env,
      );
      expect(late.code).toBe(2);
      expect(late.stderr.trimEnd().split('\n')).toEqual([
        expect.stringMatching(/^error: SecretRefused: the bunker refused connect: .*used up/),
        'remedy: A bunker URI works once. Make a new connection in the bunker, and give its URI to the same command.',
      ]);

      const listed = await republish(['signer', 'list', '--json'], saga.env);
      expect(JSON.parse(listed.stdout)).toContainEqual(
        expect.objectContaining({ operatorUserId: 'by-hand', kind: 'bunker' }),
      );
      // On a terminal of 80 columns the date is whole.
      const terminal = republishInTerminal(['signer', 'list'], { env: saga.env });
      expect(await terminal.ended).toBe(0);
      expect(terminal.screen()).toMatch(/^by-hand +paired here .* \d{4}-\d\d-\d\d /m);
      const checked = await republish(['signer', 'check', 'by-hand'], saga.env);
      expect(checked).toMatchObject({ code: 0, stdout: expect.stringContaining(bunker.userPubkey) });
      for (const { stdout, stderr } of [added, again, listed, checked]) {
        expect(stdout + stderr).not.toMatch(/canary-secret|ncryptsec/);
      }

      expect((await republish(['signer', 'remove', 'by-hand'], saga.env)).code).toBe(0);
      expect((await republish(['signer', 'check', 'by-hand'], saga.env)).code).toBe(4);
    });

    test('a bunker that holds another key than the account: kept, with a warning; check exits 4', async () => {
      const bunker = await startBunker({ relays: [saga.relays[0]?.url ?? ''] });
      saga.onStop(() => bunker.stop());
      await seedOperator(saga.database, {
        id: 'other-key',
        pubkey: getPublicKey(generateSecretKey()),
        machines: 1,
      });
      const added = await republish(['signer', 'add', 'other-key', '--bunker'], saga.env, bunker.uri());
      expect(added).toMatchObject({
        code: 0,
        stderr: expect.stringContaining("the account's public key is"),
      });
      expect((await republish(['signer', 'check', 'other-key'], saga.env)).code).toBe(4);
    });

    test('an operator whom LNbits does not know needs --yes', async () => {
      const key = generateSecretKey();
      const nsec = nip19.nsecEncode(key);
      const add = ['signer', 'add', 'not-moved-in-yet', '--local'];
      expect(await republish(add, saga.env, nsec)).toMatchObject({
        code: 5,
        stdout: '',
        stderr: expect.stringMatching(/OperatorNotFound: .*not-moved-in-yet.*\nremedy: .*--yes/),
      });
      expect(await republish([...add, '--yes'], saga.env, nsec)).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(getPublicKey(key)),
        stderr: expect.stringContaining('there is no account not-moved-in-yet'),
      });
    });

    test('adds a local key', async () => {
      const key = generateSecretKey();
      const nsec = nip19.nsecEncode(key);
      await seedOperator(saga.database, { id: 'local-key', pubkey: getPublicKey(key), machines: 1 });
      const added = await republish(['signer', 'add', 'local-key', '--local'], saga.env, nsec);
      expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining(getPublicKey(key)) });
      expect(added.stdout + added.stderr).not.toContain(nsec);
      expect((await republish(['start', 'local-key'], saga.env)).code).toBe(0);
    });

    test.each([
      ['not a URI', 'nonsense', 'expected bunker://'],
      ['nothing', '', 'no bunker:// URI was given'],
      [
        'a relay in a private network',
        `bunker://${'ab'.repeat(32)}?relay=wss://0x0a000001/canary-secret&secret=canary-secret`,
        '10.0.0.1 is a private address, which bunker relays may not have (REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS)',
      ],
      [
        'a relay elsewhere without TLS',
        `bunker://${'ab'.repeat(32)}?relay=ws://relay.example.com/&secret=canary-secret`,
        'Set the bunker to public wss:// relays',
      ],
    ])('refuses %s with exit code 2 and without repeating it', async (_what, uri, problem) => {
      const { code, stderr } = await republish(['signer', 'add', 'x', '--bunker', '--yes'], saga.env, uri);
      expect(code).toBe(2);
      expect(stderr).toContain(problem);
      expect(stderr).not.toContain('canary-secret');
    });
  });

  describe('without anything running', () => {
    test('a mistyped command suggests the right one and exits 2', async () => {
      expect(await republish(['strat'])).toMatchObject({ code: 2, stderr: expect.stringContaining('start') });
      expect(await republish(['start'])).toMatchObject({ code: 2 });
      expect(await republish(['start', 'x', '--jsn'])).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('--json'),
      });
    });

    test('every wrong key of the configuration is named at once, and no value', async () => {
      const { code, stderr } = await republish(['worker'], {
        DATABASE_URL: 'mysql://canary',
        REPUBLISH_RELAYS: 'https://canary.example.com',
        REPUBLISH_QUORUM: 'most',
        REPUBLISH_BUNKER_CONCURENCY: '3',
      });
      expect(code).toBe(5);
      for (const name of [
        'DATABASE_URL',
        'REPUBLISH_RELAYS',
        'REPUBLISH_QUORUM',
        'did you mean REPUBLISH_BUNKER_CONCURRENCY',
      ]) {
        expect(stderr).toContain(name);
      }
      expect(stderr).not.toContain('canary');
    });
  });

  test('migrate works on an empty database and says what it did; the second time nothing is left', async () => {
    const name = `empty_${process.pid}_${Date.now()}`;
    const env = { ...saga.env, DATABASE_URL: await createDatabase(testServers().postgresUrl, name) };
    saga.onStop(() => dropDatabase(testServers().postgresUrl, name));
    const first = await republish(['migrate', '--json'], env);
    expect(JSON.parse(first.stdout)).toMatchObject({
      applied: ['0001_ledger.sql'],
    });
    const second = await republish(['migrate', '--json'], env);
    expect(JSON.parse(second.stdout)).toMatchObject({ applied: [] });
  });

  test('a query for a mistyped document type ends the worker before it publishes from the wrong table', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'republish-config-'));
    saga.onStop(() => rmSync(directory, { recursive: true }));
    const file = path.join(directory, 'republish.config.json');
    writeFileSync(file, JSON.stringify({ queries: { documents: { 'bitspire-fee': { table: 'x' } } } }));
    const { code, stderr } = await republish(['worker'], { ...saga.env, REPUBLISH_CONFIG: file });
    expect(code).toBe(5);
    expect(stderr).toContain('did you mean bitspire-fees?');
  });
});
