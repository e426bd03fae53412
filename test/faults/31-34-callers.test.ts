import { WorkflowFailedError } from '@temporalio/client';
import { WORKFLOW_TYPE } from '../../contract/names';
import { startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { Gate, holdAfter } from '../support/gate';
import { STATE_CANARIES } from '../support/invariants';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

describe('callers, and what a run leaves behind', () => {
  let saga: Saga;
  const stops: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    saga = await startSaga();
    // No relay is silent here: what is signed is read back also where the machine is slow.
    await saga.startWorker({ env: { REPUBLISH_RELAY_TIMEOUT_MS: '20000' } });
  });
  afterAll(async () => {
    for (const stop of stops) await stop();
    await saga.stop();
  });

  const cancel = ({ workflowId, runId }: { workflowId: string; runId: string }): Promise<unknown> =>
    saga.client.workflow.getHandle(workflowId, runId).cancel();

  test.each(['get_public_key', 'nip44_encrypt', 'sign_event'])(
    '31: cancelled before the first publication, while the bunker is at %s: no effect',
    async (stage) => {
      const operator = await addOperatorWithCanaries(saga);
      const { bunker } = operator;
      // Pairing has asked already.
      const askedBefore = bunker.requests.length;
      bunker.setFaults(({ method }) => (method === stage ? { swallow: true } : undefined));
      const { ids, failure, audit } = await runUnderFault(saga, operator, {
        during: async (run) => {
          await until(() => bunker.requests.slice(askedBefore).some(({ method }) => method === stage));
          await cancel(run);
        },
      });
      expect(failure?.type).toBe('Cancelled');
      expect(ids).toEqual([]);
      expect(audit).toMatchObject({ outcome: 'cancelled' });
      expect(audit.failures).toHaveLength(4);
      expect(saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey)).toEqual([]);
    },
    60_000,
  );

  test('31: cancelled after the first publication: what is signed is finished, the audit tells done and not done', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 8 });
    // The bunker signs five and is silent then: however slow the machine is, the run cannot be over before
    // its cancellation.
    let signatures = 0;
    operator.bunker.setFaults(({ method }) =>
      method === 'sign_event' && (signatures += 1) > 5 ? { swallow: true } : undefined,
    );
    const { ids, failure, audit, run } = await runUnderFault(saga, operator, {
      during: async (going) => {
        await until(async () => (await going.progress()).published >= 3);
        await cancel(going);
      },
    });
    expect(failure?.type).toBe('Cancelled');
    expect(ids.length).toBeGreaterThanOrEqual(3);
    expect(ids.length).toBeLessThanOrEqual(5);
    expect(audit.failures).toHaveLength(16 - ids.length);
    expect(await run.progress()).toMatchObject({ phase: 'done', cancelling: true });
    const stored =
      saga.relays[0]?.events().filter(({ pubkey }) => pubkey === operator.bunker.userPubkey) ?? [];
    expect(stored.map(({ id }) => id).sort()).toEqual(ids.toSorted());
  }, 60_000);

  test('terminated, the ledger still tells what was done, and the next run goes on from there', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 6 });
    // The run is not over before it is terminated.
    const held = holdAfter(bunker, 3);
    const run = await saga.start(id);
    const handle = saga.client.workflow.getHandle(run.workflowId, run.runId);
    const signed = async () => (await saga.ledger(run.runId)).filter(({ signature }) => signature !== null);
    await until(async () => (await signed()).length >= 2);
    await handle.terminate('test');
    await expect(handle.result()).rejects.toThrow(WorkflowFailedError);
    const finished = await signed();
    expect(finished.length).toBeGreaterThanOrEqual(2);
    held.release();

    const events = await (await saga.start(id)).result();
    const ids = Object.values(events).flat();
    expect(ids).toHaveLength(12);
    for (const row of finished) expect(ids).toContain(row.event?.id);
    const standing = saga.relays[0]?.events().filter(({ pubkey }) => pubkey === bunker.userPubkey) ?? [];
    expect(standing.map((event) => event.id).sort()).toEqual(ids.sort());
  });

  test('32: two starts for one operator: one run', async () => {
    const gate = new Gate();
    gate.close();
    const operator = await addOperatorWithCanaries(saga, { bunker: { onRequest: gate.onRequest } });
    const { run, ids } = await runUnderFault(saga, operator, {
      during: async (first) => {
        const others = await Promise.all([saga.start(operator.id), saga.start(operator.id)]);
        gate.open();
        for (const other of others) {
          expect(other).toMatchObject({ attached: true, runId: first.runId });
          expect(await other.result()).toEqual(await first.result());
        }
      },
    });
    expect(ids).toHaveLength(4);
    expect((await saga.audits(operator.id)).map(({ runId }) => runId)).toEqual([run.runId]);
    const { history } = await saga.client.workflowService.getWorkflowExecutionHistory({
      namespace: 'default',
      execution: run,
    });
    const started = history?.events?.filter((event) => event.workflowExecutionStartedEventAttributes != null);
    expect(started).toHaveLength(1);
    expect(started?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name).toBe(WORKFLOW_TYPE);
  }, 60_000);

  test('34: what fails quotes secrets and state: none of it comes out', async () => {
    const secret = 'canary-pairing-secret-0451';
    const relayPath = 'canary-relay-path';
    const saga = await startSaga();
    stops.push(() => saga.stop());
    // A relay's path can be a bearer secret; this relay refuses for good, and so is named in every failure.
    const proxy = await startFaultProxy(saga.relays[0]?.url ?? '', ({ type }) =>
      type === 'EVENT' ? { answer: { ok: false, message: 'blocked: not here' } } : undefined,
    );
    saga.onStop(() => proxy.stop());
    await saga.startWorker({
      env: { REPUBLISH_RELAYS: `${proxy.url}/${relayPath}`, REPUBLISH_RELAY_TIMEOUT_MS: '20000' },
    });
    const operator = await addOperatorWithCanaries(saga, { machines: 3, bunker: { secret } });
    const uri = operator.bunker.uri();
    // One state is invalid by a value that would be telling; the bunker repeats what it is asked, and its own
    // address.
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.918273645 WHERE id = $1',
      [operator.machines[1]?.id],
    );
    operator.bunker.setFaults(({ method, params }) => {
      if (method !== 'nip44_encrypt') return undefined;
      const text = String(params[1]);
      if (text.includes(STATE_CANARIES.fee)) return { error: `cannot encrypt ${text}` };
      return params[0] === operator.machines[0]?.atmPubkey ? { error: `paired as ${uri}` } : undefined;
    });
    const { failure } = await runUnderFault(saga, operator, {
      check: { canaries: ['918273645', uri, relayPath] },
    });
    expect(failure?.failed).toBe(6);
    expect(new Set(failure?.failures.map(({ type }) => type))).toEqual(
      new Set(['StateInvalid', 'SignerRefused', 'RelayRefused']),
    );
    for (const canary of [secret, uri, relayPath, '918273645', ...Object.values(STATE_CANARIES)]) {
      expect(`${failure?.message} ${JSON.stringify(failure?.failures)}`).not.toContain(canary);
    }
  }, 60_000);
});
