import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { DevBunker } from '../../dev/bunker';
import { RelayConnection } from '../../nostr/relays/connection';
import { objectionsOf, statesOf } from '../support/as-machine';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { holdAfter } from '../support/gate';
import { checkInvariants } from '../support/invariants';
import { type Saga, startSaga } from '../support/saga';

/** A checker that sees nothing would let every row pass: each invariant is broken once after a good run. */
describe('the checker of the invariants sees', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    // A good run must not fail because the machine is busy.
    await saga.startWorker({
      env: { REPUBLISH_BUNKER_TIMEOUT_MS: '30000', REPUBLISH_RELAY_TIMEOUT_MS: '20000' },
    });
  });
  afterAll(() => saga.stop());

  async function goodRun() {
    const userSecretKey = generateSecretKey();
    const operator = await addOperatorWithCanaries(saga, { machines: 1, bunker: { userSecretKey } });
    const { run, ids, ledger } = await runUnderFault(saga, operator);
    const { id: operatorId, bunker, machines } = operator;
    return { check: { operatorId, runId: run.runId, bunker, machines }, ids, ledger, userSecretKey };
  }

  test('I1: a document on fewer relays than the quorum, and one of a key that is not the account’s', async () => {
    const { check } = await goodRun();
    await expect(checkInvariants(saga, { ...check, quorum: 3 })).rejects.toThrow(/^I1 .*is on 2 relays/);
    await saga.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', [
      'ab'.repeat(32),
      check.operatorId,
    ]);
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I1 .*another author/);
  });

  test('I2: a newer document at the address', async () => {
    const { check, ledger, userSecretKey } = await goodRun();
    const event = ledger[0]?.event;
    if (event == null) throw new Error('a good run has sealed its documents');
    const connection = await RelayConnection.open({
      url: saga.relays[0]?.url ?? '',
      connectTimeoutMs: 20_000,
    });
    await connection.publish(
      finalizeEvent({ ...event, created_at: event.created_at + 1 }, userSecretKey),
      20_000,
    );
    connection.close();
    // That relay keeps only the newer one now.
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I1 .*is on 1 relays/);
    await expect(checkInvariants(saga, { ...check, quorum: 1 })).rejects.toThrow(/^I2 /);
  });

  test('I3: a ledger that says something else than the audit', async () => {
    const { check } = await goodRun();
    await saga.database.transaction(async (client) => {
      // A run that is closed is frozen; only without triggers can it be made to lie.
      await client.query("SET LOCAL session_replication_role = 'replica'");
      await client.query(
        "UPDATE republish.documents SET outcome = 'superseded' WHERE run_id = $1 AND document_type = 'bitspire-fees'",
        [check.runId],
      );
    });
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I3 .*the ledger/);
  });

  test('I4: a word that must not get out, in the history', async () => {
    const { check } = await goodRun();
    await expect(checkInvariants(saga, { ...check, canaries: ['republishDocuments'] })).rejects.toThrow(
      /^I4 is broken: history: republishDocuments/,
    );
  });

  test('I5: a run that goes on', async () => {
    const operator = await addOperatorWithCanaries(saga);
    const bunker = holdAfter(operator.bunker, 0);
    const run = await saga.start(operator.id);
    const check = { operatorId: operator.id, runId: run.runId, bunker: operator.bunker };
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I5 /);
    bunker.release();
    // How it ends depends on how long it was held.
    await run.result().catch(() => undefined);
  });

  test('I6: a second id for a document, and a signature for an event that no run has sealed', async () => {
    const { check, ids, ledger } = await goodRun();
    const [row] = ledger;
    const seals = new Map([
      [`${row?.documentType}/${row?.machineId}`, new Set([ids[0] ?? '', 'ef'.repeat(32)])],
    ]);
    await expect(checkInvariants(saga, { ...check, seals })).rejects.toThrow(/^I6 .*had the ids/);
    // The ledger itself refuses a second seal, so it is the bunker that tells of one.
    const request = check.bunker.requests.find(({ method }) => method === 'sign_event');
    const other = JSON.stringify({ ...JSON.parse(request?.params[0] ?? '{}'), content: 'another' });
    const bunker = Object.create(check.bunker, {
      requests: { value: [...check.bunker.requests, { ...request, params: [other] }] },
    }) as DevBunker;
    await expect(checkInvariants(saga, { ...check, bunker })).rejects.toThrow(/^I6 .*no run has sealed/);
  });

  test('I7: a state that is another one than the machine reads, in a single digit or a single character', async () => {
    const { check } = await goodRun();
    const right = await statesOf(saga.database, check.machines);
    const set = (sql: string) => saga.database.query(sql, [check.machines[0]?.id]);
    await set(
      'UPDATE spirekeeper.cassette_configs SET count = count + 1 WHERE machine_id = $1 AND position = 2',
    );
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I7 .*another bitspire-cassettes:/);
    await set(
      'UPDATE spirekeeper.cassette_configs SET count = count - 1 WHERE machine_id = $1 AND position = 2',
    );
    await checkInvariants(saga, check);
    await set(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = operator_cash_in_fee_fraction + 1e-12 WHERE id = $1',
    );
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I7 .*another bitspire-fees:/);
    // Unless it was right while the run went on.
    await checkInvariants(saga, { ...check, earlierStates: [right] });
    const spaced = new Map([...right].map(([d, text]) => [d, `${text} `]));
    await expect(checkInvariants(saga, { ...check, earlierStates: [spaced] })).rejects.toThrow(/^I7 /);
  });

  test('I7: a machine that has another key than the one that was encrypted to', async () => {
    const { check } = await goodRun();
    const machines = check.machines.map((machine) => ({ ...machine, secretKey: generateSecretKey() }));
    await expect(checkInvariants(saga, { ...check, machines })).rejects.toThrow(/^I7 .*cannot read/);
  });

  test('I8: a document that the machine does not find by its filters', async () => {
    const { check } = await goodRun();
    const other = getPublicKey(generateSecretKey());
    const machines = check.machines.map((machine) => ({ ...machine, atmPubkey: other }));
    await expect(checkInvariants(saga, { ...check, machines })).rejects.toThrow(
      /^I8 .*is not found with .*#d/,
    );
    // Without the p tag it is another event, and so it is given to the checker alone.
    const [machine] = check.machines;
    const event = saga.relays[0]
      ?.events()
      .find(({ tags }) => tags.some(([, to]) => to === machine?.atmPubkey));
    if (machine === undefined || event === undefined) throw new Error('a good run stands on its relays');
    const untagged = { ...event, tags: event.tags.filter(([name]) => name !== 'p') };
    const documentType = event.tags[0]?.[1]?.split(':')[0] ?? '';
    const states = [await statesOf(saga.database, check.machines)];
    const looked = objectionsOf(machine, { documentType, event: untagged }, { stores: [[untagged]], states });
    expect(looked).toEqual([{ invariant: 'I8', what: expect.stringContaining('#p') }]);
  });
});
