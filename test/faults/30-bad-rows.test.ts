import type { Progress } from '../../contract/progress';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, startSaga } from '../support/saga';

describe('bad rows', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  test('30: bad key, shared key, invalid, oversized and missing state: all named before the first signature, the others stand', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 7 });
    const [badKey, sharedOne, sharedOther, invalid, oversized, missing, good] = operator.machines.map(
      ({ id }) => id,
    );
    const set = (sql: string, ...values: unknown[]) => saga.database.query(sql, values);
    await set("UPDATE dca_machines SET atm_pubkey = 'not a key' WHERE id = $1", badKey);
    await set(
      'UPDATE dca_machines SET atm_pubkey = (SELECT atm_pubkey FROM dca_machines WHERE id = $1) WHERE id = $2',
      sharedOne,
      sharedOther,
    );
    await set('UPDATE bitspire_fees SET cash_in_percent = 250 WHERE machine_id = $1', invalid);
    await set("UPDATE bitspire_fees SET currency = repeat('X', 40000) WHERE machine_id = $1", oversized);
    await set('DELETE FROM bitspire_fees WHERE machine_id = $1', missing);

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
      ['bitspire-cassettes', sharedOne, 'MachineKeyInvalid'],
      ['bitspire-cassettes', sharedOther, 'MachineKeyInvalid'],
      ['bitspire-fees', badKey, 'MachineKeyInvalid'],
      ['bitspire-fees', invalid, 'StateInvalid'],
      ['bitspire-fees', oversized, 'StateTooLarge'],
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
      ['bitspire-cassettes', 'published'],
      ['bitspire-fees', 'skipped'],
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
  }, 30_000);
});
