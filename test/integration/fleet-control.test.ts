import { Client, WorkflowNotFoundError } from '@temporalio/client';
import { NativeConnection } from '@temporalio/worker';
import { followRun } from '../../activities/fleet/follow-run';
import { speakToRuns } from '../../activities/fleet/speak-to-runs';
import { AnotherRunGoesOn, ControlRefused, RepublishFailed } from '../../client/errors';
import type { FleetRun } from '../../client/fleet';
import { findRepublish, startRepublish } from '../../client/start';
import { auditOfFleet } from '../../database/fleets';
import { fails } from '../support/fails';
import { addOperators, startFleetOf, startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import type { Saga, SagaOperator } from '../support/saga';
import { until } from '../support/until';

const MACHINES = 4;
const LONG_MS = 60_000;

describe('a fleet that people speak to while it goes on', () => {
  let saga: Saga;
  let operators: SagaOperator[];
  let ids: string[];
  const gate = new Gate();

  beforeAll(async () => {
    saga = await startPatientSaga();
    // Two documents of an operator in work at once, and both wait at the gate.
    await saga.startWorker({ env: { REPUBLISH_BUNKER_CONCURRENCY: '1' } });
    operators = await addOperators(saga, 3, { machines: MACHINES, bunker: { onRequest: gate.onRequest } });
    ids = operators.map(({ id }) => id);
  }, 120_000);
  afterEach(() => gate.open());
  afterAll(() => saga.stop());

  const signaturesAsked = (operator: SagaOperator | undefined): number =>
    operator?.bunker.requests.filter(({ method }) => method === 'sign_event').length ?? 0;

  /** Starts a fleet of two at once whose documents wait for their signatures. */
  async function startHeld(input: { operators: string[] }): Promise<FleetRun> {
    gate.close();
    const before = operators.map(signaturesAsked);
    const fleet = await startFleetOf(saga, { ...input, operatorsAtOnce: 2, force: true, resetCounts: true });
    const first = input.operators.slice(0, 2).map((id) => ids.indexOf(id));
    await until(
      () => first.every((index) => signaturesAsked(operators[index]) > (before[index] ?? 0)),
      LONG_MS,
    );
    return fleet;
  }

  test('pause reaches the runs that go on and begins no other; resume goes on with both', async () => {
    const fleet = await startHeld({ operators: ids });
    expect(await fleet.pause({ by: 'ada', reason: 'relays are moved' })).toEqual({
      operators: 2,
      unanswered: [],
    });
    expect(await fails(ControlRefused, fleet.pause())).toMatchObject({
      message: 'pause was refused: the fleet is paused already',
    });
    // A page hears of the pause with its next heartbeat. It gives up the question that the bunker holds.
    for (const id of ids.slice(0, 2)) {
      const run = await findRepublish(saga.client, id);
      await until(async () => (await run.status()).inWork.length === 0, LONG_MS);
      const progress = await run.progress();
      expect(progress).toMatchObject({ paused: { by: 'ada', reason: 'relays are moved' } });
      expect(progress.published).toBeLessThan(2 * MACHINES);
    }
    gate.open();
    expect(await fleet.progress()).toMatchObject({
      paused: { by: 'ada', reason: 'relays are moved' },
      running: 2,
      waiting: 1,
      atWork: ids.slice(0, 2),
    });
    const handle = saga.client.workflow.getHandle(fleet.workflowId);
    const { currentDetails } = await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata');
    expect(currentDetails).toContain('**Paused** by ada: relays are moved');

    expect(await fleet.resume({ by: 'ada' })).toEqual({ operators: 2, unanswered: [] });
    expect((await fleet.result()).operators.complete).toBe(3);
    expect((await saga.audits(ids[0] ?? ''))[0]?.interventions).toMatchObject([
      { action: 'pause', by: 'ada', reason: 'relays are moved' },
      { action: 'resume', by: 'ada' },
    ]);
    const audit = await auditOfFleet(saga.database, fleet.runId);
    expect(audit?.interventions.map(({ action }) => action)).toEqual(['pause', 'resume']);
  }, 180_000);

  test('a second attempt to pause and resume, after the answer of the first was lost, is no refusal', async () => {
    const fleet = await startHeld({ operators: ids.slice(0, 2) });
    const runs = await Promise.all(
      ids.slice(0, 2).map(async (operatorUserId) => {
        const { runId } = await findRepublish(saga.client, operatorUserId);
        return { operatorUserId, runId };
      }),
    );
    const { signal } = new AbortController();
    for (const action of ['pause', 'resume'] as const) {
      for (const attempt of [1, 2]) {
        const { taken, unanswered } = await speakToRuns(
          saga.client,
          { action, runs },
          { updateId: `of this ${action}`, signal },
        );
        expect([attempt, taken.sort(), unanswered]).toEqual([attempt, ids.slice(0, 2), []]);
      }
      const refused = await speakToRuns(
        saga.client,
        { action, runs },
        { updateId: `another ${action}`, signal },
      );
      expect(refused).toEqual({ taken: [], unanswered: [] });
    }
    gate.open();
    expect((await fleet.result()).operators.complete).toBe(2);
    for (const id of ids.slice(0, 2))
      expect((await saga.audits(id))[0]?.interventions.map(({ action }) => action)).toEqual([
        'pause',
        'resume',
      ]);
  }, 120_000);

  /** The connection of a worker is another one than that of a client. */
  async function withBothClients(work: (clients: Client[]) => Promise<void>): Promise<void> {
    const connection = await NativeConnection.connect({ address: saga.env.TEMPORAL_ADDRESS ?? '' });
    try {
      const { namespace } = saga.client.options;
      await work([saga.client, new Client({ connection, namespace })]);
    } finally {
      await connection.close();
    }
  }

  test('a run that was deleted in Temporal has ended for its fleet, and keeps nobody from the control', async () => {
    const operatorUserId = `deleted-${process.pid}`;
    const { runId, workflowId } = await startRepublish(saga.client, operatorUserId, {
      taskQueue: 'without-a-worker',
    });
    const { namespace } = saga.client.options;
    const workflowExecution = { workflowId, runId };
    await saga.client.workflowService.deleteWorkflowExecution({ namespace, workflowExecution });
    const run = saga.client.workflow.getHandle(workflowId, runId);
    await until(() =>
      run.describe().then(
        () => false,
        (thrown: unknown) => thrown instanceof WorkflowNotFoundError,
      ),
    );
    await withBothClients(async (clients) => {
      const { signal } = new AbortController();
      for (const client of clients) {
        const said = speakToRuns(
          client,
          { action: 'pause', runs: [{ operatorUserId, runId }] },
          { updateId: 'to a deleted run', signal },
        );
        expect(await said).toEqual({ taken: [], unanswered: [] });
        const followed = followRun(
          client,
          { operatorUserId, runId, request: { operatorUserId } },
          { signal, show: () => undefined },
        );
        expect(await followed).toMatchObject({ end: { operatorUserId, runId, outcome: 'failed' } });
      }
    });
  }, 120_000);

  test('a run that no worker continues does not answer, and keeps nobody from the control', async () => {
    const operatorUserId = `nobody-answers-${process.pid}`;
    const { runId, workflowId } = await startRepublish(saga.client, operatorUserId, {
      taskQueue: 'without-a-worker',
    });
    try {
      await withBothClients(async (clients) => {
        const answers = clients.map((client, index) =>
          speakToRuns(
            client,
            { action: 'pause', runs: [{ operatorUserId, runId }] },
            { updateId: `asked in vain ${index}`, signal: new AbortController().signal },
          ),
        );
        const unanswered = { taken: [], unanswered: [operatorUserId] };
        expect(await Promise.all(answers)).toEqual([unanswered, unanswered]);
      });
    } finally {
      await saga.client.workflow.getHandle(workflowId).terminate();
    }
  }, 120_000);

  test('a run that somebody paused by itself stays paused when the fleet goes on', async () => {
    const [id = ''] = ids;
    const fleet = await startHeld({ operators: [id] });
    const run = await findRepublish(saga.client, id);
    await run.pause({ by: 'grace' });
    expect(await fleet.pause()).toEqual({ operators: 0, unanswered: [] });
    expect(await fleet.resume()).toEqual({ operators: 0, unanswered: [] });
    expect(await run.progress()).toMatchObject({ paused: { by: 'grace' } });
    await run.resume();
    gate.open();
    expect((await fleet.result()).operators.complete).toBe(1);
  }, 120_000);

  test('cancel reaches the runs that go on, and their audits say who and why; the rest is not begun', async () => {
    const runsOfThird = (await saga.audits(ids[2] ?? '')).length;
    const fleet = await startHeld({ operators: ids });
    expect(await fleet.cancel({ by: 'ada', reason: 'wrong list' })).toEqual({
      takenBy: 'run',
      obstacle: null,
      operators: 2,
      unanswered: [],
    });
    // The gate stays closed: on a fast machine the documents would be done before the cancellation is heard.
    expect(await fails(RepublishFailed, fleet.result())).toMatchObject({ type: 'Cancelled' });
    expect(await auditOfFleet(saga.database, fleet.runId)).toMatchObject({
      outcome: 'cancelled',
      operators: { complete: 0, incomplete: 0, failed: 0, cancelled: 2, notBegun: 1 },
      failures: ids.slice(0, 2).map((operatorUserId) => ({ operatorUserId, outcome: 'cancelled' })),
      interventions: [{ action: 'cancel', by: 'ada', reason: 'wrong list' }],
    });
    for (const id of ids.slice(0, 2)) {
      expect((await saga.audits(id))[0]).toMatchObject({
        outcome: 'cancelled',
        interventions: [{ action: 'cancel', by: 'ada', reason: 'wrong list' }],
      });
    }
    expect(await saga.audits(ids[2] ?? '')).toHaveLength(runsOfThird);
  }, 120_000);

  test('cancelled by Temporal itself it ends the same way', async () => {
    const [id = ''] = ids;
    const fleet = await startHeld({ operators: [id] });
    await saga.client.workflow.getHandle(fleet.workflowId).cancel();
    expect(await fails(RepublishFailed, fleet.result())).toMatchObject({ type: 'Cancelled' });
    expect(await auditOfFleet(saga.database, fleet.runId)).toMatchObject({
      outcome: 'cancelled',
      operators: { cancelled: 1, notBegun: 0 },
    });
    expect((await saga.audits(id))[0]).toMatchObject({ outcome: 'cancelled' });
  }, 120_000);

  test('the same request attaches to the fleet that goes on, one of another waits for its end, is refused or attached to, as it says', async () => {
    const [first = '', second = ''] = ids;
    const before = await saga.audits(first);
    const fleet = await startHeld({ operators: [first, second] });
    const same = {
      operators: [second, first],
      operatorsAtOnce: 2,
      force: true,
      resetCounts: true,
      reason: 'asked twice',
    };
    expect(await startFleetOf(saga, same)).toMatchObject({ attached: true, runId: fleet.runId });
    const another = { operators: [first] };
    const refused = startFleetOf(saga, { ...another, otherRequest: 'refuse' });
    expect(await fails(AnotherRunGoesOn, refused)).toMatchObject({
      message: expect.stringMatching(
        /^a fleet of another request is running \(its request: .*operators .*; begun at /,
      ),
      remedy: expect.stringContaining('republish fleet cancel'),
    });
    const attached = await startFleetOf(saga, { ...another, otherRequest: 'attach' });
    expect(attached).toMatchObject({ attached: true, runId: fleet.runId });
    expect(attached.differs).toContain('force');
    const told: string[] = [];
    const own = startFleetOf(saga, { ...another, onWaiting: ({ message }) => void told.push(message) });
    await until(() => told.length > 0, LONG_MS);
    gate.open();
    expect((await fleet.result()).operators.complete).toBe(2);
    // One run of the fleet that was attached to, and one of the fleet that has waited.
    expect(await (await own).result()).toMatchObject({ operators: { complete: 1 } });
    expect((await saga.audits(first)).slice(2)).toEqual(before);
  }, 120_000);

  test('a run that goes on already is waited for: as ours if it was asked the same, before ours if not', async () => {
    const [same = '', other = ''] = ids;
    gate.close();
    const sameRun = await saga.start(same, { force: true, resetCounts: true });
    const otherRun = await saga.start(other, { force: true, documentTypes: ['bitspire-fees'] });
    const fleet = await startFleetOf(saga, { operators: [same, other], force: true, resetCounts: true });
    await until(async () => (await fleet.status()).waitsFor.length === 1, LONG_MS);
    expect((await fleet.status()).waitsFor).toEqual([
      {
        operatorUserId: other,
        runId: otherRun.runId,
        begunAt: expect.any(String),
        differs: ['document types bitspire-fees', 'counts are not reset'],
      },
    ]);
    gate.open();
    expect((await fleet.result()).operators).toMatchObject({ complete: 2, failed: 0, incomplete: 0 });
    expect((await saga.audits(same))[0]?.runId).toBe(sameRun.runId);
    const [ours, theirs] = await saga.audits(other);
    expect(theirs?.runId).toBe(otherRun.runId);
    expect(Object.keys(ours?.events ?? {})).toEqual(['bitspire-cassettes', 'bitspire-fees']);
  }, 120_000);

  test('an operator whose run is cancelled by itself is named, and the fleet goes on', async () => {
    const [first = '', second = ''] = ids;
    const fleet = await startHeld({ operators: [first, second] });
    await (await findRepublish(saga.client, first)).cancel();
    gate.open();
    const { operators: counts, failures } = await fleet.result();
    expect(counts).toMatchObject({ complete: 1, cancelled: 1 });
    expect(failures).toMatchObject([{ operatorUserId: first, failure: { type: 'Cancelled' } }]);
  }, 120_000);
});
