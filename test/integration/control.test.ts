import { WorkflowUpdateFailedError } from '@temporalio/client';
import { ControlRefused, RepublishFailed } from '../../client/errors';
import { fails } from '../support/fails';
import { republish } from '../support/command-line';
import { holdAfter } from '../support/gate';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { until } from '../support/until';

/** The bunker says no to every signature for a machine, until it is told otherwise. */
function deny(bunker: SagaOperator['bunker'], atmPubkey: string | undefined): void {
  bunker.setFaults(({ method, params }) =>
    method === 'sign_event' && String(params[0]).includes(atmPubkey ?? '-') ? { error: 'denied' } : undefined,
  );
}

describe('a run that people speak to while it goes on', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    // A few documents at a time, so that some are not begun when somebody speaks.
    // Nothing is given up before somebody speaks.
    await saga.startWorker({
      env: {
        REPUBLISH_BUNKER_CONCURRENCY: '2',
        REPUBLISH_DOCUMENT_TIMEOUT_MS: '120000',
        // A page that counts as lost does not tell how far it is.
        REPUBLISH_HEARTBEAT_TIMEOUT_MS: '6000',
      },
    });
  });
  afterAll(() => saga.stop());

  /** Documents on the relay, also those of a page that has not told yet how far it is. */
  const standing = ({ bunker }: Pick<SagaOperator, 'bunker'>): number =>
    (saga.relays[0]?.events() ?? []).filter(({ pubkey }) => pubkey === bunker.userPubkey).length;

  const details = async (run: { workflowId: string; runId: string }): Promise<string> => {
    const handle = saga.client.workflow.getHandle(run.workflowId, run.runId);
    return (await handle.query<{ currentDetails: string }>('__temporal_workflow_metadata')).currentDetails;
  };

  test('pause begins nothing more, resume goes on; who and why are in the audit', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 12 });
    const held = holdAfter(bunker, 2);
    const run = await saga.start(id);
    await until(() => held.isHeld() && standing({ bunker }) >= 2);
    await run.pause({ by: 'ada', reason: 'the bunker is hot' });
    // What was in work ends; then nothing moves.
    await until(async () => (await run.status()).inWork.length === 0);
    const paused = await run.progress();
    const asked = bunker.requests.length;
    expect(paused).toMatchObject({ paused: { by: 'ada', reason: 'the bunker is hot' } });
    // What was signed is settled, and told.
    expect(paused.published).toBe(standing({ bunker }));
    expect(paused.published).toBeLessThan(24);
    expect(paused.open).toBe(24 - paused.published);
    expect(await details(run)).toContain('**Paused** by ada: the bunker is hot');
    // Long enough for a step that should not begin.
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(bunker.requests.length).toBe(asked);
    held.release();
    expect(await fails(ControlRefused, run.pause())).toMatchObject({
      message: 'pause was refused: the run is paused already',
    });

    await run.resume();
    expect(Object.values(await run.result()).flat()).toHaveLength(24);
    expect((await saga.audits(id))[0]?.interventions).toEqual([
      { action: 'pause', at: expect.any(String) as string, by: 'ada', reason: 'the bunker is hot' },
      { action: 'resume', at: expect.any(String) as string },
    ]);
    expect(await fails(ControlRefused, run.resume())).toMatchObject({
      message: expect.stringContaining('has ended') as string,
    });
  });

  test('hold: waits with its failures; retry publishes what was mended, bad rows too', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 3 });
    deny(bunker, machines[1]?.atmPubkey);
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [machines[0]?.id],
    );
    const run = await saga.start(id, { onFailure: 'hold' });
    await until(async () => (await run.progress()).phase === 'holding');
    expect(await run.progress()).toMatchObject({ planned: 6, published: 3, failed: 3, open: 0 });
    expect((await run.progress()).failures.map(({ type }) => type).sort()).toEqual([
      'SignerRefused',
      'SignerRefused',
      'StateInvalid',
    ]);
    const shown = await details(run);
    expect(shown).toContain(`republish retry ${id}`);
    expect(shown).toContain('Remedy for StateInvalid: Correct the row');

    // Nothing mended: it tries, fails, and holds again.
    expect(await run.retry()).toBe(2);
    await until(async () => {
      const { phase, failed } = await run.progress();
      return phase === 'holding' && failed === 3;
    });
    bunker.setFaults(undefined);
    expect(await run.retry({ documentType: 'bitspire-cassettes' })).toBe(1);
    await until(async () => (await run.progress()).failed === 2);
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.02 WHERE id = $1',
      [machines[0]?.id],
    );
    expect(await run.retry({ by: 'ada' })).toBe(2);

    const events = await run.result();
    expect(Object.values(events).flat()).toHaveLength(6);
    const [audit] = await saga.audits(id);
    expect(audit).toMatchObject({ outcome: 'complete', failures: [] });
    expect(audit?.interventions.map(({ action }) => action)).toEqual(['retry', 'retry', 'retry']);
  });

  test('hold: a retry does not publish over one another what two machines with one key would', async () => {
    const { id, machines } = await saga.addOperator({ machines: 2 });
    const [one, other] = machines;
    const give = (key: string | undefined): Promise<unknown> =>
      saga.database.query('UPDATE spirekeeper.dca_machines SET machine_npub = $1 WHERE id = $2', [
        key,
        other?.id,
      ]);
    // The column is unique, and the same key can be written in two ways.
    await give(one?.atmPubkey.toUpperCase());
    const run = await saga.start(id, { onFailure: 'hold' });
    await until(async () => (await run.progress()).phase === 'holding');
    expect(await run.retry()).toBe(0);
    expect(await run.progress()).toMatchObject({ phase: 'holding', failed: 4, published: 0 });
    await give(other?.atmPubkey);
    expect(await run.retry()).toBe(4);
    expect(Object.values(await run.result()).flat()).toHaveLength(4);
  });

  test('hold: skip gives up what is left, and the run ends well without it', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    deny(bunker, machines[1]?.atmPubkey);
    const run = await saga.start(id, { onFailure: 'hold' });
    await until(async () => (await run.progress()).phase === 'holding');
    const { stderr, code } = await republish(
      ['skip', id, '--by', 'grace', '--reason', 'that shop is closed'],
      saga.env,
    );
    expect({ stderr, code }).toEqual({ stderr: '2 documents were given up\n', code: 0 });

    const events = await run.result();
    expect(Object.values(events).flat()).toHaveLength(2);
    const [audit] = await saga.audits(id);
    expect(audit).toMatchObject({ outcome: 'complete', failures: [] });
    expect(audit?.skipped).toEqual(
      ['bitspire-cassettes', 'bitspire-fees'].map((documentType) => ({
        documentType,
        machineId: machines[1]?.id,
        reason: expect.stringMatching(
          /^given up by grace: that shop is closed; it had failed: .*denied/,
        ) as string,
      })),
    );
    expect(await run.progress()).toMatchObject({
      planned: 2,
      published: 2,
      skipped: 2,
      givenUp: 2,
      failed: 0,
    });
    // A later run takes them up again.
    bunker.setFaults(undefined);
    expect(Object.values(await (await saga.start(id)).result()).flat()).toHaveLength(4);
  });

  test('skip ends a document that is being retried, and only that one', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
    const stuck = `bitspire-fees:${machines[0]?.atmPubkey}`;
    bunker.setFaults(({ method, params }) =>
      method === 'sign_event' && String(params[0]).includes(stuck) ? { swallow: true } : undefined,
    );
    const run = await saga.start(id);
    // By the ledger: a page tells how far it is when it returns, and this one is tried again and again.
    const published = async (): Promise<number> =>
      (await saga.ledger(run.runId)).filter(({ outcome }) => outcome === 'published').length;
    await until(async () => (await published()) === 3);
    const selection = { documentType: 'bitspire-fees', machineId: machines[0]?.id ?? '' };
    expect(await run.skip(selection)).toBe(1);
    const events = await run.result();
    expect(Object.values(events).flat()).toHaveLength(3);
    expect((await saga.audits(id))[0]).toMatchObject({
      outcome: 'complete',
      skipped: [{ documentType: 'bitspire-fees', machineId: machines[0]?.id }],
    });
    // Sealed, perhaps signed, but nothing of it was published.
    const sealed = (await saga.ledger(run.runId)).find(({ outcome }) => outcome === 'skipped')?.event?.id;
    expect(saga.relays[0]?.events()).not.toContainEqual(expect.objectContaining({ id: sealed }));
  });

  test('cancel by update: cancelled as by Temporal itself, with the audit', async () => {
    const { id, bunker } = await saga.addOperator({ machines: 12 });
    const held = holdAfter(bunker, 2);
    const run = await saga.start(id);
    await until(() => held.isHeld() && standing({ bunker }) >= 2);
    const { stderr, code } = await republish(['cancel', id, '--reason', 'wrong operator'], saga.env);
    expect({ stderr, code }).toEqual({ stderr: expect.stringContaining('cancelled: ') as string, code: 0 });
    expect(await fails(RepublishFailed, run.result())).toMatchObject({ type: 'Cancelled' });
    const description = await saga.client.workflow.getHandle(run.workflowId, run.runId).describe();
    expect(description.status.name).toBe('CANCELLED');
    expect((await saga.audits(id))[0]).toMatchObject({
      outcome: 'cancelled',
      interventions: [{ action: 'cancel', reason: 'wrong operator' }],
    });
  });

  test('what makes no sense is refused with the reason, and is in no audit', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 1 });
    const { id: machineId = '', name = '' } = machines[0] ?? {};
    deny(bunker, machines[0]?.atmPubkey);
    const run = await saga.start(id, { onFailure: 'hold' });
    await until(async () => (await run.progress()).phase === 'holding');
    const handle = saga.client.workflow.getHandle(run.workflowId, run.runId);
    const refusal = async (name: string, ...args: [unknown?]): Promise<string> => {
      const error = await fails(
        WorkflowUpdateFailedError,
        handle.executeUpdate<unknown, [unknown]>(name, { args: [args[0]] }),
      );
      return error.cause?.message ?? '';
    };
    expect(await refusal('resume')).toBe('the run is not paused');
    expect(await refusal('retry', { documenttype: 'x' })).toBe(
      'unknown key "documenttype"; retry knows by, reason, documentType, machineId',
    );
    expect(await refusal('pause', { documentType: 'bitspire-fees' })).toContain('pause knows by, reason');
    expect(await refusal('skip', 'all')).toBe('the argument of skip must be a JSON object, or be left out');
    expect(await refusal('skip', { documentType: 'bitspire-fee' })).toContain(
      'is not part of this run (did you mean bitspire-fees?); it has bitspire-cassettes, bitspire-fees',
    );
    expect(await refusal('retry', { reason: 7 })).toBe('reason must be a text of 1 to 500 characters');
    const { stderr, code } = await republish(['resume', id], saga.env);
    expect({ stderr, code }).toEqual({
      stderr: `error: ControlRefused: resume was refused: the run is not paused\nremedy: See how the run stands with: republish status ${id}.\n`,
      code: 1,
    });
    // A machine that the run does not have is named: that nothing was done would look like good news.
    for (const command of ['retry', 'skip']) {
      const typo = await republish([command, id, '--machine', `${machineId}x`], saga.env);
      expect(typo).toMatchObject({ code: 1, stdout: '' });
      expect(typo.stderr).toContain(
        `${command} was refused: the run has no machine ${machineId}x (did you mean ${name} (${machineId})?)`,
      );
    }
    expect((await run.progress()).phase).toBe('holding');
    const skipped = await republish(['skip', id, '--machine', machineId], saga.env);
    expect(skipped).toMatchObject({
      code: 0,
      stderr: `2 documents of machine ${name} (${machineId}) were given up\n`,
    });
    await run.result();
    expect((await saga.audits(id))[0]?.interventions).toHaveLength(1);
  });
});

// An update of the first task is dealt with where its handler is set, which must not be before the run is
// whole.
test('an update that comes with the first task of a run is taken', async () => {
  const saga = await startSaga();
  const { id, bunker } = await saga.addOperator({ machines: 1 });
  // Where the update comes late, it still meets a run.
  const held = holdAfter(bunker, 0);
  const run = await saga.start(id);
  const pausing = run.pause({ by: 'ada' });
  // Nobody works yet: both wait, and come together.
  await new Promise((resolve) => setTimeout(resolve, 500));
  await saga.startWorker();
  await pausing;
  expect(await run.progress()).toMatchObject({ paused: { by: 'ada' } });
  held.release();
  await run.resume();
  expect(Object.values(await run.result()).flat()).toHaveLength(2);
  await saga.stop();
});

describe('what is seen of a run in Temporal', () => {
  let saga: Saga;

  beforeAll(async () => {
    saga = await startSaga();
    await saga.startWorker();
  });
  afterAll(() => saga.stop());

  test('it is found by operator, key and outcome; the reason is in the memo, the summary and details say what it is', async () => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 1 });
    const run = await saga.start(id, { reason: 'moved to a bunker', onFailure: 'hold' });
    await run.result();
    deny(bunker, machines[0]?.atmPubkey);
    await (await saga.start(id, { force: true, resetCounts: true })).result().catch(() => undefined);

    const found = async (query: string): Promise<string[]> => {
      const runs: string[] = [];
      for await (const { runId } of saga.client.workflow.list({ query })) runs.push(runId);
      return runs;
    };
    const ofOperator = `RepublishOperator = '${id}' AND RepublishPubkey = '${bunker.userPubkey}'`;
    await until(async () => (await found(`${ofOperator} AND RepublishOutcome = 'incomplete'`)).length === 1);
    await until(async () => (await found(`${ofOperator} AND RepublishOutcome = 'complete'`)).length > 0);
    expect(await found(`${ofOperator} AND RepublishOutcome = 'complete'`)).toEqual([run.runId]);

    const description = await saga.client.workflow.getHandle(run.workflowId, run.runId).describe();
    expect(description.memo).toEqual({ reason: 'moved to a bunker' });
    expect(await description.staticSummary()).toContain(id);
    expect(await description.staticDetails()).toContain('failed documents: wait for retry or skip');
  });

  test('queries, updates and the signal say what they are for', async () => {
    const { id } = await saga.addOperator({ machines: 1 });
    const run = await saga.start(id);
    await run.result();
    const handle = saga.client.workflow.getHandle(run.workflowId, run.runId);
    const { definition } = await handle.query<{
      definition: Record<string, { name: string; description?: string }[]>;
    }>('__temporal_workflow_metadata');
    const described = (kind: string): string[] =>
      (definition[kind] ?? []).filter(({ description }) => description).map(({ name }) => name);
    expect(described('queryDefinitions')).toContain('progress');
    expect(described('updateDefinitions').sort()).toEqual(['cancel', 'pause', 'resume', 'retry', 'skip']);
    expect(described('signalDefinitions')).toEqual(['approval']);
  });
});
