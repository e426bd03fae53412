import { RepublishFailed } from '../../client/errors';
import { auditOfFleet } from '../../database/fleets';
import { searchAttributeTypes, startTemporalServer } from '../../embedded/temporal-server/start';
import { fails } from '../support/fails';
import { addOperators, startFleetOf, startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import type { Saga, SagaOperator } from '../support/saga';
import { testServers } from '../support/servers';
import { until } from '../support/until';

const LONG_MS = 60_000;

/**
 * The server asks for continue-as-new after the events of a handful of operators; usually it is
 * four thousand.
 */
describe('a fleet whose history grows too long', () => {
  let saga: Saga;
  let operators: SagaOperator[];
  let ids: string[];
  const gate = new Gate();

  beforeAll(async () => {
    const server = await startTemporalServer({
      executable: testServers().temporalCli,
      headless: true,
      searchAttributes: searchAttributeTypes(),
      // Well below the events of all operators: the more of them end in one task, the fewer there are.
      dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '40' },
    });
    saga = await startPatientSaga({ temporalAddress: server.address });
    saga.onStop(() => server.stop());
    await saga.startWorker();
    operators = await addOperators(saga, 8);
    // The first one's documents wait for their signatures.
    const held = await saga.addOperator({ machines: 2, bunker: { onRequest: gate.onRequest } });
    operators = [held, ...operators];
    ids = operators.map(({ id }) => id);
  }, 180_000);
  afterEach(() => gate.open());
  afterAll(() => saga.stop());

  const executions = async (workflowId: string): Promise<string[]> => {
    const statuses: string[] = [];
    for await (const { status } of saga.client.workflow.list({ query: `WorkflowId = '${workflowId}'` }))
      statuses.push(status.name);
    return statuses;
  };

  /**
   * Starts a fleet and waits until it goes on in another execution, with the held operator's run still in
   * work.
   */
  async function startContinued() {
    gate.close();
    const before = (await saga.audits(ids[1] ?? '')).length;
    const fleet = await startFleetOf(saga, { operators: ids, operatorsAtOnce: 3, force: true });
    const executionNow = async () =>
      (await saga.client.workflow.getHandle(fleet.workflowId).describe()).runId;
    await until(async () => {
      const runId = await executionNow();
      const { operators: ended, running } = await fleet.progress();
      // An execution that has just handed over may count a run that the next one still follows.
      const isNewest = runId !== fleet.runId && runId === (await executionNow());
      return isNewest && ended.complete === ids.length - 1 && running === 1;
    }, 2 * LONG_MS);
    expect(await fleet.progress()).toMatchObject({ running: 1, atWork: [ids[0]], waiting: 0 });
    expect(await saga.audits(ids[1] ?? '')).toHaveLength(before + 1);
    return fleet;
  }

  test('goes on in another execution, which follows the runs that go on; each operator is done once', async () => {
    const fleet = await startContinued();
    // The run is no child of this execution any more, and is reached all the same.
    expect(await fleet.pause({ by: 'ada' })).toEqual({ operators: 1, unanswered: [] });
    expect(await fleet.resume()).toEqual({ operators: 1, unanswered: [] });
    gate.open();
    expect(await fleet.result()).toEqual({
      operators: { complete: ids.length, incomplete: 0, failed: 0, cancelled: 0, notBegun: 0 },
      failures: [],
    });
    expect(await auditOfFleet(saga.database, fleet.runId)).toMatchObject({
      outcome: 'complete',
      interventions: [{ action: 'pause', by: 'ada' }, { action: 'resume' }],
    });
    for (const id of ids) expect(await saga.audits(id)).toHaveLength(1);
    await until(async () => (await executions(fleet.workflowId)).includes('CONTINUED_AS_NEW'), LONG_MS);
  }, 240_000);

  test('cancelled by Temporal itself, it cancels also the runs that an earlier execution began', async () => {
    const fleet = await startContinued();
    await saga.client.workflow.getHandle(fleet.workflowId).cancel();
    expect(await fails(RepublishFailed, fleet.result())).toMatchObject({ type: 'Cancelled' });
    const audit = await auditOfFleet(saga.database, fleet.runId);
    expect(audit).toMatchObject({ outcome: 'cancelled', operators: { notBegun: 0 } });
    const [own] = await saga.audits(ids[0] ?? '');
    expect(own?.outcome).toBe('cancelled');
    expect(audit?.failures.map(({ operatorUserId }) => operatorUserId)).toEqual([ids[0]]);
  }, 240_000);
});

/**
 * The server asks for continue-as-new when an operator ends and others are left to begin. At which event that
 * is, depends on the machine, so there are several limits.
 */
test('one operator at a time, with a history that becomes too long whenever: every operator is done, and done once', async () => {
  for (const limit of [20, 22, 23, 24, 27]) {
    const server = await startTemporalServer({
      executable: testServers().temporalCli,
      headless: true,
      searchAttributes: searchAttributeTypes(),
      dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': String(limit) },
    });
    const saga = await startPatientSaga({ temporalAddress: server.address });
    try {
      await saga.startWorker();
      const ids = (await addOperators(saga, 4)).map(({ id }) => id);
      const fleet = await startFleetOf(saga, { operators: ids, operatorsAtOnce: 1 });
      expect([limit, (await fleet.result()).operators]).toEqual([
        limit,
        { complete: 4, incomplete: 0, failed: 0, cancelled: 0, notBegun: 0 },
      ]);
      for (const id of ids) expect(await saga.audits(id)).toHaveLength(1);
    } finally {
      await saga.stop();
      await server.stop();
    }
  }
}, 600_000);
