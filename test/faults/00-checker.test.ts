import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import type { DevBunker } from '../../dev/bunker';
import { RelayConnection } from '../../nostr/relays/connection';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { checkInvariants } from '../support/invariants';
import { type Saga, startSaga } from '../support/saga';

/** A checker that sees nothing would let every row pass: each invariant is broken once after a good run. */
describe('the checker of the invariants sees', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  async function goodRun() {
    const userSecretKey = generateSecretKey();
    const operator = await addOperatorWithCanaries(saga, { machines: 1, bunker: { userSecretKey } });
    const { run, ids, ledger } = await runUnderFault(saga, operator);
    const check = { operatorId: operator.id, runId: run.runId, bunker: operator.bunker };
    return { check, ids, ledger, userSecretKey };
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
      connectTimeoutMs: 2_000,
    });
    await connection.publish(
      finalizeEvent({ ...event, created_at: event.created_at + 1 }, userSecretKey),
      2_000,
    );
    connection.close();
    // That relay keeps only the newer one now.
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I1 .*is on 1 relays/);
    await expect(checkInvariants(saga, { ...check, quorum: 1 })).rejects.toThrow(/^I2 /);
  });

  test('I3: a ledger that says something else than the audit', async () => {
    const { check } = await goodRun();
    await saga.database.transaction(async (client) => {
      // The database keeps a closed run as it is, unless its triggers are switched off.
      await client.query('SET LOCAL session_replication_role = replica');
      await client.query(
        "UPDATE republish.documents SET outcome = 'superseded' WHERE run_id = $1 AND document_type = 'bitspire-fees'",
        [check.runId],
      );
    });
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I3 .*the ledger/);
  });

  test('I4: a word that must not get out, in the history', async () => {
    const { check } = await goodRun();
    await expect(checkInvariants(saga, { ...check, canaries: ['republishDocument'] })).rejects.toThrow(
      /^I4 is broken: history: republishDocument/,
    );
  });

  test('I5: a run that goes on', async () => {
    const operator = await addOperatorWithCanaries(saga, { bunker: { answerDelayMs: 500 } });
    const run = await saga.start(operator.id);
    const check = { operatorId: operator.id, runId: run.runId, bunker: operator.bunker };
    await expect(checkInvariants(saga, check)).rejects.toThrow(/^I5 /);
    await run.result();
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
});
