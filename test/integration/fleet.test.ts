import { RepublishFailed } from '../../client/errors';
import { FLEET_WORKFLOW_TYPE } from '../../contract/fleet';
import { auditOfFleet } from '../../database/fleets';
import { fails } from '../support/fails';
import { addOperators, breakThree, startFleetOf, startPatientSaga } from '../support/fleet';
import type { Saga, SagaOperator } from '../support/saga';

/** `npm run bench:fleet` runs two hundred. */
const OPERATORS = 12;

describe(`a fleet of ${OPERATORS} operators, three of them broken`, () => {
  let saga: Saga;
  let operators: SagaOperator[];
  let broken: Record<string, string>;

  beforeAll(async () => {
    saga = await startPatientSaga();
    operators = await addOperators(saga, OPERATORS);
    broken = await breakThree(saga, [...operators].reverse());
    await saga.startWorker();
  }, 120_000);
  afterAll(() => saga.stop());

  test('all others are complete, the three are named', async () => {
    const fleet = await startFleetOf(saga, {
      operators: operators.map(({ id }) => id),
      reason: 'moved to bunkers',
    });
    const summary = await fleet.result();
    expect(summary.operators).toEqual({
      complete: OPERATORS - 3,
      incomplete: 2,
      failed: 1,
      cancelled: 0,
      notBegun: 0,
    });
    expect(
      Object.fromEntries(summary.failures.map(({ operatorUserId, outcome }) => [operatorUserId, outcome])),
    ).toEqual(broken);
    expect(summary.failures.map(({ failure }) => failure?.type).sort()).toEqual([
      'RepublishIncomplete',
      'RepublishIncomplete',
      'SignerNotConfigured',
    ]);
    expect(await auditOfFleet(saga.database, fleet.runId)).toMatchObject({
      workflowId: fleet.workflowId,
      outcome: 'incomplete',
      reason: 'moved to bunkers',
      operators: summary.operators,
      failures: summary.failures,
      interventions: [],
    });
    // Each run is a run like any other: with an audit of its own under the id that the fleet's audit names.
    for (const { id } of operators) {
      const [audit, ...others] = await saga.audits(id);
      expect(others).toEqual([]);
      expect(audit).toMatchObject({ outcome: broken[id] ?? 'complete', reason: 'moved to bunkers' });
      const failure = summary.failures.find(({ operatorUserId }) => operatorUserId === id);
      if (failure) expect(failure.runId).toBe(audit?.runId);
    }
    expect(await fleet.progress()).toMatchObject({
      phase: 'done',
      planned: OPERATORS,
      waiting: 0,
      running: 0,
    });
  }, 120_000);

  test('all means whoever has a signer; whom the database does not name is one failure among others', async () => {
    const all = await (await startFleetOf(saga, { all: true, operatorsAtOnce: 3 })).result();
    expect(Object.values(all.operators).reduce((sum, count) => sum + count, 0)).toBe(OPERATORS - 1);

    const named = await startFleetOf(saga, { operators: ['nobody', operators[0]?.id ?? ''] });
    const { operators: counts, failures } = await named.result();
    expect(counts).toMatchObject({ complete: 1, failed: 1 });
    expect(failures).toMatchObject([{ operatorUserId: 'nobody', failure: { type: 'OperatorNotFound' } }]);
  }, 120_000);

  test('the audit is append-only', async () => {
    for (const statement of ['UPDATE %s SET outcome = outcome', 'DELETE FROM %s', 'TRUNCATE %s']) {
      const sql = statement.replace('%s', 'republish.fleet_audit_log');
      await expect(saga.database.query(sql)).rejects.toThrow('fleet_audit_log is append-only');
    }
  });

  test('an input that does not say whom it means is refused', async () => {
    const refusal = async (input: object): Promise<string> =>
      (await fails(RepublishFailed, startFleetOf(saga, input))).message;
    // The workflow checks it too, for callers without this library.
    const taskQueue = saga.env.REPUBLISH_TASK_QUEUE ?? '';
    const wired = await saga.client.workflow.start(FLEET_WORKFLOW_TYPE, {
      workflowId: `fleet-of-nobody-${taskQueue}`,
      taskQueue,
      args: [{}],
    });
    expect((await fails(Error, wired.result())).cause).toMatchObject({ type: 'InvalidInput' });
    expect(await refusal({})).toContain('give either operators or "all": true');
    expect(await refusal({ all: true, operators: ['x'] })).toContain('give either operators or "all": true');
    expect(await refusal({ operators: ['x'], operatorsAtOnce: 0 })).toContain('from 1 to 200');
    expect(await refusal({ operators: ['x'], machineIds: ['m'] })).toContain('unknown key "machineIds"');
    expect(await refusal({ operators: ['x', ' '] })).toContain('entry 2');
    expect(await refusal({ operators: ['x'], force: 'yes' })).toContain('force must be true or false');
  });
});
