import type { RepublishRun } from '../../client/run';
import { Gate } from '../support/gate';
import type { Saga } from '../support/saga';
import { askedToSign, FEES, isHolding, keep, refuse, soon, withSaga } from './keep';

// Records runs of several executions, each of one page of one document: `npm run test:replay:record`.
jest.setTimeout(240_000);

const SHORT = { REPUBLISH_DOCUMENTS_PER_PAGE: '1', REPUBLISH_PAGES_PER_EXECUTION: '1' };

/** The executions of a run, in their order. */
async function executionsOf(
  saga: Saga,
  { workflowId, runId }: RepublishRun,
): Promise<{ workflowId: string; runId: string }[]> {
  const executions: { workflowId: string; runId: string }[] = [];
  for (let next: string | undefined = runId; next;) {
    executions.push({ workflowId, runId: next });
    const { events } = await saga.client.workflow.getHandle(workflowId, next).fetchHistory();
    next = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
  }
  return executions;
}

const NOWHERE = { workflowId: '', runId: '' };

test('three executions; and one of them in the middle', () =>
  withSaga(SHORT, async (saga) => {
    let signed = 0;
    const gate = new Gate();
    gate.close();
    const { id } = await saga.addOperator({
      machines: 3,
      bunker: {
        onRequest: (request) =>
          request.method === 'sign_event' && (signed += 1) === 2 ? gate.onRequest(request) : undefined,
      },
    });
    const run = await saga.start(id, FEES);
    await soon(() => signed === 2);
    await keep('continued-mid-flight', { ...run, runId: await run.currentRunId() });
    gate.open();
    await run.result();
    const [first = NOWHERE, middle = NOWHERE, last = NOWHERE] = await executionsOf(saga, run);
    await keep('continued-first', first);
    await keep('continued-middle', middle);
    await keep('continued-last', last);
  }));

test('one that holds makes room for what is tried again', () =>
  withSaga(SHORT, async (saga) => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    refuse(bunker, machines[1]?.atmPubkey ?? '');
    const run = await saga.start(id, { ...FEES, onFailure: 'hold' });
    await isHolding(run);
    bunker.setFaults(undefined);
    await run.retry();
    await run.result();
    const [, holding = NOWHERE, last = NOWHERE] = await executionsOf(saga, run);
    await keep('continued-holding', holding);
    await keep('continued-retried', last);
  }));

test('one that is paused hands that over', () =>
  withSaga(SHORT, async (saga) => {
    const gate = new Gate();
    gate.close();
    const { id, bunker } = await saga.addOperator({ machines: 3, bunker: { onRequest: gate.onRequest } });
    const run = await saga.start(id, FEES);
    await askedToSign(bunker, 1);
    await run.pause({ by: 'recorded' });
    gate.open();
    await soon(async () => (await run.currentRunId()) !== run.runId);
    // Not before it has begun: an update that comes with its first task is dealt with at once.
    await soon(async () => (await run.progress()).paused !== undefined);
    await run.resume();
    await run.result();
    const [, paused = NOWHERE] = await executionsOf(saga, run);
    await keep('continued-paused', paused);
  }));
