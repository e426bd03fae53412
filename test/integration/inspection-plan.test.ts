import { finalizeEvent, generateSecretKey, getPublicKey, nip19 } from 'nostr-tools';
import type { RepublishPlan } from '../../inspection/plan';
import type { Outcome } from '../../contract/progress';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { startRelay } from '../../dev/relay';
import { startBareRelay } from '../support/bare-relay';
import { republish } from '../support/command-line';
import { startPatientSaga } from '../support/fleet';
import { ledgerText, publishBeside } from '../support/inspection';
import type { Saga, SagaOperator } from '../support/saga';
import { until } from '../support/until';

const OUTCOMES: Record<RepublishPlan['documents'][number]['action'], Outcome> = {
  publish: 'published',
  unchanged: 'unchanged',
  skipped: 'skipped',
  invalid: 'failed',
};

describe('republish plan', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startPatientSaga({ relays: 3 });
    // A second attempt at a page would find what the first has sent, and call it unchanged.
    saga.env.REPUBLISH_HEARTBEAT_TIMEOUT_MS = '30000';
  });
  afterAll(() => saga.stop());

  const planned = async (args: string[], env: Record<string, string> = {}) => {
    const { code, stdout, stderr } = await republish(['plan', ...args, '--json'], { ...saga.env, ...env });
    if (stdout === '') throw new Error(stderr);
    return { code, plan: JSON.parse(stdout) as RepublishPlan };
  };
  const askedToSign = ({ bunker }: SagaOperator): number =>
    bunker.requests.filter(({ method }) => method === 'nip44_encrypt' || method === 'sign_event').length;

  let worker: { env: Record<string, string>; stop(): Promise<void> } | undefined;
  /** Another one only where something else is to be read there: two on one queue would share the work. */
  const workerWith = async (env: Record<string, string>): Promise<void> => {
    if (worker !== undefined && worker.env.REPUBLISH_RELAYS === env.REPUBLISH_RELAYS) return;
    await worker?.stop();
    worker = { env, ...(await saga.startWorker({ env })) };
  };

  /** Plans, runs, and holds the outcomes of the run against the plan. */
  const planAndRun = async (
    operator: SagaOperator,
    options: { force?: true; env?: Record<string, string> } = {},
  ): Promise<{ code: number; plan: RepublishPlan }> => {
    const before = { ledger: await ledgerText(saga), signed: askedToSign(operator) };
    const { code, plan } = await planned(
      [operator.id, ...(options.force ? ['--force', '--reset-counts'] : [])],
      options.env,
    );
    expect(await ledgerText(saga)).toBe(before.ledger);
    expect(askedToSign(operator)).toBe(before.signed);

    await workerWith(options.env ?? {});
    const run = await saga.start(operator.id, options.force ? { force: true, resetCounts: true } : {});
    await run.result().catch(() => undefined);
    const ledger = await saga.ledger(run.runId);
    const key = (row: { documentType: string; machineId: string }) => `${row.documentType} ${row.machineId}`;
    expect(Object.fromEntries(ledger.map((row) => [key(row), row.outcome]))).toEqual(
      Object.fromEntries(plan.documents.map((row) => [key(row), OUTCOMES[row.action]])),
    );
    expect(
      ledger
        .filter(({ failureType }) => failureType !== null)
        .map((row) => [key(row), row.failureType, row.failureMessage])
        .sort(),
    ).toEqual(
      plan.documents
        .flatMap((row) => (row.failure ? [[key(row), row.failure.type, row.failure.message]] : []))
        .sort(),
    );
    // Encrypting and signing are two requests; before the first of them the signer is tried with a text.
    expect(askedToSign(operator) - before.signed).toBe(2 * plan.toSign + (plan.toSign > 0 ? 1 : 0));
    return { code, plan };
  };

  test('says what the run then does: bad rows, machines that have not reported or are not paired, bad keys, and what stands already', async () => {
    const operator = await saga.addOperator({ machines: 5 });
    const [good, badFees, notReported, badKey, unpaired] = operator.machines.map(({ id }) => id);
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [badFees],
    );
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [
      notReported,
    ]);
    await saga.database.query("UPDATE spirekeeper.dca_machines SET machine_npub = 'ff' WHERE id = $1", [
      badKey,
    ]);
    await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = NULL WHERE id = $1', [
      unpaired,
    ]);

    const first = await planAndRun(operator);
    expect(first.code).toBe(5);
    expect(first.plan.counts).toEqual({ publish: 4, unchanged: 0, skipped: 3, invalid: 3 });
    expect(
      first.plan.documents
        .filter(({ action }) => action === 'skipped')
        .map(({ documentType, machineId, because }) => [documentType, machineId, because]),
    ).toEqual([
      ['bitspire-cassettes', notReported, 'has not reported yet'],
      ['bitspire-cassettes', unpaired, 'not paired yet'],
      ['bitspire-fees', unpaired, 'not paired yet'],
    ]);
    expect(first.plan.source).toMatchObject({ kind: 'postgres', preset: 'spirekeeper' });
    expect(first.plan).toMatchObject({
      operatorPubkey: operator.bunker.userPubkey,
      toSign: 4,
      quorum: 2,
      problems: [],
      signer: { kind: 'bunker', matchesAccount: true, answers: true },
    });
    // The size that was told is the size that travelled.
    for (const { documentType, machineId, action, eventBytes } of first.plan.documents) {
      if (action !== 'publish') continue;
      const { atmPubkey } = operator.machines.find(({ id }) => id === machineId) ?? {};
      const onFirst = () =>
        saga.relays[0]?.events().find(({ tags }) => tags[0]?.[1] === `${documentType}:${atmPubkey}`);
      // Two of the three are enough for the run.
      await until(() => onFirst() !== undefined);
      const { id, pubkey, created_at, kind, tags, content, sig } = onFirst() ?? {};
      const message = ['EVENT', { id, pubkey, created_at, kind, tags, content, sig }];
      expect(eventBytes).toBe(Buffer.byteLength(JSON.stringify(message)));
    }

    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.02 WHERE id = $1',
      [good],
    );
    await saga.database.query('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', [badFees]);
    const second = await planAndRun(operator);
    expect(second.plan.counts).toEqual({ publish: 1, unchanged: 2, skipped: 4, invalid: 3 });
    expect(second.plan.documents.find(({ action }) => action === 'publish')).toMatchObject({
      machineId: good,
      documentType: 'bitspire-fees',
      because: expect.stringContaining('changed'),
    });
    const forced = await planAndRun(operator, { force: true });
    expect(forced.plan.counts).toMatchObject({ publish: 3, unchanged: 0 });
  }, 180_000);

  test('looks at the relays too: what too few hold is sent again without a signature, what is newer there is replaced', async () => {
    const userSecretKey = generateSecretKey();
    const operator = await saga.addOperator({ machines: 1, bunker: { userSecretKey } });
    await planAndRun(operator);
    const mineOnFirst = () =>
      (saga.relays[0]?.events() ?? []).filter(({ pubkey }) => pubkey === operator.bunker.userPubkey);
    // Two of the three are enough for the run.
    await until(() => mineOnFirst().length === 2);
    const fresh = await Promise.all([startRelay(), startRelay()]);
    saga.onStop(() => Promise.all(fresh.map((relay) => relay.stop())));
    const relays = [saga.relays[0], ...fresh].map((relay) => relay?.url).join(',');
    const moved = await planAndRun(operator, { env: { REPUBLISH_RELAYS: relays } });
    expect(moved).toMatchObject({ code: 0, plan: { toSign: 0, signer: { answers: null } } });
    expect(moved.plan.documents.map(({ action, holding }) => [action, holding])).toEqual([
      ['publish', 1],
      ['publish', 1],
    ]);

    // Somebody else (LNbits) has saved a change: it is newer than ours.
    const [mine] = mineOnFirst();
    const { kind = 0, tags = [], content = '', created_at = 0 } = mine ?? {};
    await publishBeside(
      saga.relays[0]?.url,
      finalizeEvent({ kind, tags, content, created_at: created_at + 5 }, userSecretKey),
    );
    const after = await planAndRun(operator);
    expect(
      after.plan.documents.map(({ action, because }) => [action, because.includes('newer')]).sort(),
    ).toEqual([
      ['publish', true],
      ['unchanged', false],
    ]);
  }, 180_000);

  test('a signer of another key, none at all, one that does not answer, and relays below the quorum have to be put right first', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    const typesOf = ({ problems }: RepublishPlan): string[] => problems.map(({ type }) => type);

    const other = nip19.npubEncode(getPublicKey(generateSecretKey()));
    const unexpected = await planned([operator.id, '--expected-pubkey', other]);
    expect([unexpected.code, ...typesOf(unexpected.plan)]).toEqual([5, 'SignerPubkeyMismatch']);

    operator.bunker.pause();
    const silent = await planned([operator.id], { REPUBLISH_BUNKER_TIMEOUT_MS: '6000' });
    operator.bunker.resume();
    expect([silent.code, ...typesOf(silent.plan)]).toEqual([5, 'SignerTimeout']);
    expect(silent.plan.signer?.answers).toBe(false);

    const gateway = await startNostrclientGateway({
      relays: [saga.relays[0]?.url ?? ''],
      wsId: 'canary-ws-id',
    });
    saga.onStop(() => gateway.stop());
    const away = await planned([operator.id], {
      REPUBLISH_RELAYS: ['ws://127.0.0.1:9', 'ws://127.0.0.1:10', gateway.url].join(','),
    });
    expect([away.code, ...typesOf(away.plan)]).toEqual([5, 'RelayQuorumNotReached']);
    expect(away.plan.relays.map(({ relay, reachable }) => [relay, reachable])).toEqual([
      ['ws://127.0.0.1:9', false],
      ['ws://127.0.0.1:10', false],
      [expect.stringMatching(/^nostrclient\+ws:\/\/127\.0\.0\.1:\d+\/…$/), true],
    ]);
    expect(JSON.stringify(away.plan)).not.toContain('canary-ws-id');

    await saga.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', [
      getPublicKey(generateSecretKey()),
      operator.id,
    ]);
    const mismatch = await planned([operator.id]);
    expect([mismatch.code, ...typesOf(mismatch.plan)]).toEqual([5, 'SignerPubkeyMismatch']);
    await republish(['signer', 'remove', operator.id], saga.env);
    const none = await planned([operator.id]);
    expect([none.code, ...typesOf(none.plan)]).toEqual([5, 'SignerNotConfigured']);
  }, 180_000);

  test('takes the selection of start, and suggests what a misspelt document type was meant to be', async () => {
    const operator = await saga.addOperator({ machines: 2 });
    const { id: machine = '' } = operator.machines[1] ?? {};
    const name = 'Entrance';
    await saga.database.query('UPDATE spirekeeper.dca_machines SET name = $1 WHERE id = $2', [name, machine]);
    const { plan } = await planned([operator.id, '--document-type', 'bitspire-fees', '--machine', machine]);
    expect(plan.documents.map(({ documentType, machineId }) => [documentType, machineId])).toEqual([
      ['bitspire-fees', machine],
    ]);
    for (const [args, said] of [
      [[operator.id, '--document-type', 'bitspire-fee'], 'did you mean bitspire-fees?'],
      [[operator.id, '--machine', 'nothing'], 'has no machine nothing'],
      [[operator.id, '--machine', `${machine}x`], `machine ${machine}x (did you mean ${name} (${machine})?)`],
      [[operator.id, '--machine', name.toLowerCase()], `(did you mean ${name} (${machine})?)`],
      [[operator.id, '--machine', 'Front desk'], 'a name is no id: republish plan'],
      [['nobody'], 'OperatorNotFound'],
    ] as const) {
      const result = await republish(['plan', ...args, '--json'], saga.env);
      expect(result).toMatchObject({ code: 5, stdout: '', stderr: expect.stringContaining(said) });
    }
    expect(await republish(['plan', 'x', '--expected-pubkey', 'npub1x'], saga.env)).toMatchObject({
      code: 2,
    });
  }, 180_000);

  test('with another secrets key it says that, and nothing else', async () => {
    const { id } = await saga.addOperator({ machines: 3 });
    const env = { ...saga.env, REPUBLISH_SECRETS_KEY: 'another key than that of the signer' };
    for (const more of [[], ['--json']]) {
      const { code, stdout, stderr } = await republish(['plan', id, ...more], env);
      expect({ code, stdout, lines: stderr.trimEnd().split('\n') }).toEqual({
        code: 4,
        stdout: '',
        lines: [
          expect.stringMatching(/^error: SignerUnlockFailed: REPUBLISH_SECRETS_KEY does not open the stored/),
          expect.stringContaining(`republish signer remove ${id}`),
        ],
      });
    }
    const right = await republish(['plan', id, '--color', 'always'], saga.env);
    expect(right.code).toBe(0);
    // What a signer will take is not known of one that was just added: that is said, with what to do.
    expect(right.stdout).toContain('no estimate: since this signer was added');
    expect(right.stdout).toContain(`republish signer check ${id} --deep`);
    expect(right.stdout).toContain('\u001b[32mpublish\u001b[39m');
    const plain = await republish(['plan', id, '--color', 'always', '--no-color'], saga.env);
    expect(plain.stdout).not.toContain('\u001b');
  }, 180_000);

  test('shows for a person the relays with their limits, each document and each remedy', async () => {
    const operator = await saga.addOperator({ machines: 1 });
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [operator.machines[0]?.id],
    );
    const limited = await startBareRelay();
    limited.information = JSON.stringify({ limitation: { max_message_length: 70_000, auth_required: true } });
    saga.onStop(() => limited.stop());
    const env = { ...saga.env, REPUBLISH_RELAYS: `${saga.env.REPUBLISH_RELAYS},${limited.url}` };
    const { code, stdout } = await republish(['plan', operator.id], env);
    expect(code).toBe(5);
    for (const said of [
      nip19.npubEncode(operator.bunker.userPubkey),
      'message 70000 B, authentication',
      'StateInvalid',
      'remedy for StateInvalid',
      '1 to publish (1 to be signed), 0 unchanged, 0 skipped, 1 invalid',
    ])
      expect(stdout).toContain(said);
  }, 180_000);

  test.each(['plan', 'doctor', 'verify', 'orphans', 'audit'])(
    '%s --help begins with an example',
    async (command) => {
      const { code, stdout } = await republish([command, '--help']);
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`^Example: republish ${command}`));
    },
    60_000,
  );
});
