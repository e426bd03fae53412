import { generateSecretKey, getPublicKey } from 'nostr-tools';
import { npubEncode } from 'nostr-tools/nip19';
import { RepublishFailed } from '../../client/errors';
import { startRepublish } from '../../client/start';
import { WORKFLOW_TYPE } from '../../contract/names';
import { deleteSigner } from '../../database/signers';
import { fails } from '../support/fails';
import { PATIENT } from '../support/patience';
import { type Saga, startSaga } from '../support/saga';

describe('a run that cannot begin ends in the named failure, with a remedy and an audit row, and signs nothing', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker({ env: PATIENT });
  });
  afterAll(() => saga.stop());

  test('unknown operator', async () => {
    const failure = await fails(RepublishFailed, (await saga.start('nobody')).result());
    expect(failure).toMatchObject({
      type: 'OperatorNotFound',
      message: expect.stringContaining('no account with id nobody'),
    });
    expect(failure.remedy).toMatch(/^Check the operator user id/);
    expect(failure.message).not.toContain(failure.remedy);
    expect(await saga.audits('nobody')).toMatchObject([
      { outcome: 'failed', failure: { type: 'OperatorNotFound' } },
    ]);
  });

  test('an account without a valid public key', async () => {
    await saga.database.query(
      "INSERT INTO accounts (id, pubkey) VALUES ('keyless', NULL), ('garbled', 'abc')",
    );
    for (const id of ['keyless', 'garbled']) {
      const failure = await fails(RepublishFailed, (await saga.start(id)).result());
      expect(failure).toMatchObject({
        type: 'OperatorNotFound',
        message: expect.stringContaining('no valid public key'),
      });
    }
  });

  test('no signer, also when an earlier run has published everything', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    await (await saga.start(id)).result();
    await deleteSigner(saga.database, id);
    const failure = await fails(RepublishFailed, (await saga.start(id)).result());
    expect(failure).toMatchObject({
      type: 'SignerNotConfigured',
      remedy: expect.stringContaining('signer add'),
    });
  });

  test("an account key that is not the signer's", async () => {
    const { id, bunker } = await saga.addOperator();
    await saga.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', [
      getPublicKey(generateSecretKey()),
      id,
    ]);
    const failure = await fails(RepublishFailed, (await saga.start(id)).result());
    expect(failure.type).toBe('SignerPubkeyMismatch');
    expect(bunker.requests.map(({ method }) => method)).not.toContain('sign_event');
    expect(await saga.audits(id)).toMatchObject([
      { outcome: 'failed', failure: { type: 'SignerPubkeyMismatch' } },
    ]);
  });

  test('the account key in upper case is the same key', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    await saga.database.query('UPDATE accounts SET pubkey = upper(pubkey) WHERE id = $1', [id]);
    await (await saga.start(id)).result();
    expect(saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey)).toHaveLength(2);
  });

  test('a bunker that says that it has another key now', async () => {
    const { id, bunker } = await saga.addOperator();
    bunker.setFaults(({ method }) =>
      method === 'get_public_key' ? { reportPubkey: getPublicKey(generateSecretKey()) } : undefined,
    );
    const run = await saga.start(id);
    const failure = await fails(RepublishFailed, run.result());
    expect(failure.type).toBe('SignerPubkeyMismatch');
    expect(bunker.requests.map(({ method }) => method)).not.toContain('sign_event');
    // The plan is there, and the audit says that none of it was begun.
    expect((await saga.ledger(run.runId)).map(({ failureType }) => failureType)).toEqual(
      Array(4).fill('NotAttempted'),
    );
  });

  test('a bunker that signs with another key than it names publishes nothing', async () => {
    const { id, bunker, machines } = await saga.addOperator({ machines: 1 });
    bunker.setFaults(({ method }) =>
      method === 'sign_event' ? { signWith: generateSecretKey() } : undefined,
    );
    const failure = await fails(RepublishFailed, (await saga.start(id)).result());
    expect(failure.failures.map(({ type }) => type)).toEqual([
      'SignerReturnedWrongEvent',
      'SignerReturnedWrongEvent',
    ]);
    const stored = saga.relays[0]
      ?.events()
      .filter(({ tags }) => tags[0]?.[1]?.endsWith(machines[0]?.atmPubkey ?? '-'));
    expect(stored).toEqual([]);
    // Not retried blindly: one request for each document.
    expect(bunker.requests.filter(({ method }) => method === 'sign_event')).toHaveLength(2);
  });

  test('a key other than the expected one', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const run = await saga.start(id, { expectedPubkey: getPublicKey(generateSecretKey()) });
    expect(await fails(RepublishFailed, run.result())).toMatchObject({
      type: 'SignerPubkeyMismatch',
      message: expect.stringContaining('expected was'),
    });
  });

  test('an unknown document type, naming the known ones', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const run = await saga.start(id, { documentTypes: ['bitspire-fee'] });
    const failure = await fails(RepublishFailed, run.result());
    expect(failure).toMatchObject({
      type: 'UnknownDocumentType',
      message: expect.stringContaining('bitspire-cassettes, bitspire-fees'),
    });
    expect(await saga.audits(id)).toMatchObject([{ events: { 'bitspire-fee': [] } }]);
  });

  test('a machine of somebody else', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const other = await saga.addOperator({ machines: 1 });
    const run = await saga.start(id, { machineIds: [other.machines[0]?.id ?? ''] });
    expect(await fails(RepublishFailed, run.result())).toMatchObject({ type: 'MachineNotFound' });
    expect(other.bunker.requests.map(({ method }) => method)).not.toContain('sign_event');
  });

  test('two machines with one key', async () => {
    const { id, machines } = await saga.addOperator({ machines: 2 });
    await saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = $1 WHERE id = $2', [
      // The column is unique, and the same key can be written in two ways.
      npubEncode(machines[0]?.atmPubkey ?? ''),
      machines[1]?.id,
    ]);
    const failure = await fails(RepublishFailed, (await saga.start(id)).result());
    expect(failure.failures.map(({ type }) => type)).toEqual(Array(4).fill('MachineKeyInvalid'));
  });

  test('a bunker that never answers, within a bound', async () => {
    const taskQueue = `never-there-${process.pid}`;
    // It is asked six times.
    await saga.startWorker({ env: { REPUBLISH_TASK_QUEUE: taskQueue, REPUBLISH_BUNKER_TIMEOUT_MS: '2500' } });
    const { id } = await saga.addOperator({ machines: 1 });
    await saga.database.query('UPDATE republish.signers SET bunker_relays = $1 WHERE operator_user_id = $2', [
      ['ws://127.0.0.1:9'],
      id,
    ]);
    const run = await startRepublish(saga.client, id, { taskQueue });
    const failure = await fails(RepublishFailed, run.result());
    expect(failure).toMatchObject({
      type: 'SignerUnreachable',
      message: expect.stringContaining('ws://127.0.0.1:9'),
    });
  }, 180_000);

  test('an input from another language that is not as it must be', async () => {
    const start = (args: unknown[]) =>
      saga.client.workflow.execute(WORKFLOW_TYPE, {
        taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '',
        workflowId: `input-${Math.random()}`,
        args,
      });
    for (const [input, problem] of [
      ['operator-1', 'must be a JSON object'],
      [{}, 'operatorUserId must be'],
      [{ operatorUserId: 'x', documentType: 'bitspire-fees' }, 'unknown key "documentType"'],
      [{ operatorUserId: 'x', documentTypes: [] }, 'documentTypes must be a list of one or more'],
      [{ operatorUserId: 'x', onFailure: 'abort' }, 'onFailure must be'],
    ] as const) {
      const error = await fails(Error, start([input]));
      expect(error.cause).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining(problem) });
    }
  });

  test('nulls for what was left out, as Python sends them, are fine', async () => {
    const { id } = await saga.addOperator({ machines: 0 });
    const result: unknown = await saga.client.workflow.execute(WORKFLOW_TYPE, {
      taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '',
      workflowId: `nulls-${id}`,
      args: [
        {
          operatorUserId: id,
          documentTypes: null,
          machineIds: null,
          expectedPubkey: null,
          force: null,
          reason: null,
        },
      ],
    });
    expect(result).toEqual({ 'bitspire-cassettes': [], 'bitspire-fees': [] });
  });
});
