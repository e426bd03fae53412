import type { Progress } from '../../contract/progress';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, startSaga } from '../support/saga';

describe('bad rows', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // Nothing fails but for its row.
    await saga.startWorker({ env: { REPUBLISH_DOCUMENT_TIMEOUT_MS: '60000' } });
  });
  afterAll(() => saga.stop());

  test('30: bad key, shared key, invalid, oversized and missing state: all named before the first signature, the others stand', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 7 });
    const [badKey, sharedOne, sharedOther, invalid, oversized, missing, good] = operator.machines.map(
      ({ id }) => id,
    );
    const set = (sql: string, ...values: unknown[]) => saga.database.query(sql, values);
    await set("UPDATE spirekeeper.dca_machines SET machine_npub = 'not a key' WHERE id = $1", badKey);
    await set(
      // The column is unique, and the same key can be written in several ways.
      'UPDATE spirekeeper.dca_machines SET machine_npub = (SELECT upper(machine_npub) FROM spirekeeper.dca_machines WHERE id = $1) WHERE id = $2',
      sharedOne,
      sharedOther,
    );
    await set(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      invalid,
    );
    await set(
      `INSERT INTO spirekeeper.cassette_configs (machine_id, position, denomination, count)
       SELECT $1, position, 40962211, 73556083 FROM generate_series(4, 900) AS position`,
      oversized,
    );
    await set('DELETE FROM spirekeeper.cassette_configs WHERE machine_id = $1', missing);

    let atFirstSignature: Progress | undefined;
    let asked = false;
    const { failure, ids, run } = await runUnderFault(saga, operator, {
      during: async (started) => {
        operator.bunker.setFaults(async ({ method }) => {
          if (method !== 'sign_event' || asked) return undefined;
          asked = true;
          atFirstSignature = await started.progress();
          return undefined;
        });
      },
    });
    const named = [
      ['bitspire-cassettes', badKey, 'MachineKeyInvalid'],
      ['bitspire-cassettes', oversized, 'StateTooLarge'],
      ['bitspire-cassettes', sharedOne, 'MachineKeyInvalid'],
      ['bitspire-cassettes', sharedOther, 'MachineKeyInvalid'],
      ['bitspire-fees', badKey, 'MachineKeyInvalid'],
      ['bitspire-fees', invalid, 'StateInvalid'],
      ['bitspire-fees', sharedOne, 'MachineKeyInvalid'],
      ['bitspire-fees', sharedOther, 'MachineKeyInvalid'],
    ].sort();
    const told = (failures: { documentType: string; machineId: string; type: string }[] = []) =>
      failures.map(({ documentType, machineId, type }) => [documentType, machineId, type]).sort();
    expect(told(atFirstSignature?.failures)).toEqual(named);
    expect(told(failure?.failures)).toEqual(named);
    expect(failure?.type).toBe('RepublishIncomplete');
    const outcomes = (await saga.ledger(run.runId)).filter(({ machineId }) => machineId === missing);
    expect(outcomes.map(({ documentType, outcome }) => [documentType, outcome])).toEqual([
      ['bitspire-cassettes', 'skipped'],
      ['bitspire-fees', 'published'],
    ]);
    // Two of the good machine, and the other document of those whose one state is bad or missing.
    expect(good).toBeDefined();
    expect(ids).toHaveLength(2 + 3);
  }, 60_000);

  test('30: an unknown document type: the known ones are named, and the bunker is asked nothing', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const askedBefore = operator.bunker.requests.length;
    const { failure } = await runUnderFault(saga, operator, { input: { documentTypes: ['bitspire-fee'] } });
    expect(failure).toMatchObject({
      type: 'UnknownDocumentType',
      message: expect.stringContaining('bitspire-fees'),
    });
    expect(operator.bunker.requests).toHaveLength(askedBefore);
  }, 60_000);
});
