import { searchAttributeTypes, startTemporalServer } from '../../embedded/temporal-server/start';
import { addOperators, breakThree, startFleetOf, startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import { testServers } from '../support/servers';
import { ended, FEES, keep, soon, withSaga } from './keep';

// Records fleets: `npm run test:replay:record`.
jest.setTimeout(300_000);

test('complete; some operators failed', () =>
  withSaga({}, async (saga) => {
    const well = (await addOperators(saga, 3)).map(({ id }) => id);
    const complete = await startFleetOf(saga, { operators: well, ...FEES });
    await complete.result();
    await keep('fleet-complete', complete);

    const operators = await addOperators(saga, 4);
    await breakThree(saga, operators);
    const ids = operators.map(({ id }) => id);
    const failed = await startFleetOf(saga, { operators: ids, reason: 'recorded', operatorsAtOnce: 2 });
    await failed.result();
    await keep('fleet-some-failed', failed);
  }));

test('paused in the middle and resumed, cancelled; one waits for the run of somebody else', () =>
  withSaga({}, async (saga) => {
    const gate = new Gate();
    gate.close();
    const held = await addOperators(saga, 3, { machines: 1, bunker: { onRequest: gate.onRequest } });
    const ids = held.map(({ id }) => id);
    await saga.start(ids[0] ?? '', FEES);
    const all = { operators: ids, operatorsAtOnce: 2 };
    const paused = await startFleetOf(saga, all);
    await soon(async () => (await paused.progress()).running === 2);
    await paused.pause({ by: 'recorded' });
    await keep('fleet-paused-mid-flight', paused);
    await paused.resume();
    gate.open();
    await paused.result();
    await keep('fleet-paused-resumed', paused);

    gate.close();
    const cancelled = await startFleetOf(saga, { ...all, force: true });
    await soon(async () => (await cancelled.progress()).running === 2);
    await cancelled.cancel({ reason: 'recorded' });
    gate.open();
    await ended(cancelled);
    await keep('fleet-cancelled', cancelled);
  }));

test('a fleet that continues as new, with a run that goes on meanwhile', async () => {
  const server = await startTemporalServer({
    executable: testServers().temporalCli,
    headless: true,
    searchAttributes: searchAttributeTypes(),
    dynamicConfig: { 'limit.historyCount.suggestContinueAsNew': '45' },
  });
  const temporalAddress = server.address;
  const saga = await startPatientSaga({ temporalAddress });
  saga.onStop(() => server.stop());
  try {
    await saga.startWorker();
    const gate = new Gate();
    gate.close();
    const held = await saga.addOperator({ machines: 1, bunker: { onRequest: gate.onRequest } });
    const ids = [held, ...(await addOperators(saga, 6))].map(({ id }) => id);
    const fleet = await startFleetOf(saga, { operators: ids, operatorsAtOnce: 3 });
    const { workflowId } = fleet;
    await soon(async () => (await fleet.progress()).operators.complete === ids.length - 1);
    const { runId } = await saga.client.workflow.getHandle(workflowId).describe();
    const there = { ...testServers(), temporalAddress };
    await keep('fleet-continued-first', fleet, there);
    await keep('fleet-continued-mid-flight', { workflowId, runId }, there);
    gate.open();
    await fleet.result();
    await keep('fleet-continued-last', { workflowId, runId }, there);
  } finally {
    await saga.stop();
  }
});
