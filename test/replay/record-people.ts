import { startPatientSaga } from '../support/fleet';
import { Gate } from '../support/gate';
import { askedToSign, ended, FEES, isHolding, keep, refuse, soon, withSaga } from './keep';

// Records what people do to a run: `npm run test:replay:record`.
jest.setTimeout(240_000);

test('held for documents: retried, given up, cancelled', () =>
  withSaga({}, async (saga) => {
    const held = async () => {
      const { id, machines, bunker } = await saga.addOperator({ machines: 2 });
      refuse(bunker, machines[0]?.atmPubkey ?? '');
      const run = await saga.start(id, { onFailure: 'hold' });
      await isHolding(run);
      return { run, bunker };
    };
    const { run: retried, bunker } = await held();
    await keep('holding', retried);
    bunker.setFaults(undefined);
    await retried.retry({ by: 'recorded' });
    await retried.result();
    await keep('held-retried', retried);

    const { run: skipped } = await held();
    await skipped.skip();
    await skipped.result();
    await keep('held-skipped', skipped);

    const { run: cancelled } = await held();
    await cancelled.cancel({ reason: 'recorded' });
    await ended(cancelled);
    await keep('cancelled-while-holding', cancelled);
  }));

test('held before the documents: at loading, at the signer', () =>
  withSaga({}, async (saga) => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    await saga.database.query("UPDATE accounts SET pubkey = '' WHERE id = $1", [id]);
    const atLoading = await saga.start(id, { ...FEES, onFailure: 'hold' });
    await isHolding(atLoading);
    await saga.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', [bunker.userPubkey, id]);
    await atLoading.retry();
    await atLoading.result();
    await keep('held-at-loading', atLoading);

    const other = await saga.addOperator({ machines: 1 });
    other.bunker.setFaults(({ method }) =>
      method === 'get_public_key' ? { reportPubkey: 'e'.repeat(64) } : undefined,
    );
    const atSigner = await saga.start(other.id, { ...FEES, onFailure: 'hold' });
    await isHolding(atSigner);
    other.bunker.setFaults(undefined);
    await atSigner.retry();
    await atSigner.result();
    await keep('held-at-signer', atSigner);
  }));

test('held by a cause that all pages share', () =>
  withSaga({ REPUBLISH_DOCUMENTS_PER_PAGE: '2' }, async (saga) => {
    const { id, bunker } = await saga.addOperator({ machines: 10 });
    refuse(bunker);
    const run = await saga.start(id, { ...FEES, onFailure: 'hold' });
    await isHolding(run);
    bunker.setFaults(undefined);
    await run.retry();
    await run.result();
    await keep('held-by-cause', run);
  }));

/** Slow enough for something to happen in the middle. */
const SLOW = { answerDelayMs: 300, concurrency: 1 };

test('paused and resumed', () =>
  withSaga({}, async (saga) => {
    const { id, bunker } = await saga.addOperator({ machines: 12, bunker: SLOW });
    const run = await saga.start(id, FEES);
    await askedToSign(bunker, 2);
    await run.pause({ by: 'recorded' });
    await soon(async () => (await run.status()).inWork.length === 0);
    await keep('paused-mid-flight', run);
    await run.resume();
    await run.result();
    await keep('paused-resumed', run);
  }));

test('given up, and tried again, while others are in work', () =>
  withSaga({}, async (saga) => {
    const { id, machines, bunker } = await saga.addOperator({ machines: 12, bunker: SLOW });
    const skipped = await saga.start(id, FEES);
    await askedToSign(bunker, 2);
    await skipped.skip({ machineId: machines[11]?.id ?? '', reason: 'recorded' });
    await skipped.result();
    await keep('skipped-in-work', skipped);

    const other = await saga.addOperator({ machines: 12, bunker: SLOW });
    const setFee = (fee: number) =>
      saga.database.query(
        'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = $1 WHERE id = $2',
        [fee, other.machines[0]?.id],
      );
    await setFee(0.5);
    const retried = await saga.start(other.id, FEES);
    await askedToSign(other.bunker, 2);
    await setFee(0.02);
    await retried.retry();
    await retried.result();
    await keep('retried-in-work', retried);
  }));

test('cancelled: while the signer is asked, while a page is in work, by Temporal itself', () =>
  withSaga({}, async (saga) => {
    const { id, bunker } = await saga.addOperator({ machines: 12, bunker: SLOW });
    bunker.setFaults(({ method }) => (method === 'get_public_key' ? { swallow: true } : undefined));
    const atSigner = await saga.start(id, FEES);
    await soon(async () => (await atSigner.progress()).phase === 'proving signer');
    await atSigner.cancel();
    await ended(atSigner);
    await keep('cancelled-at-signer', atSigner);
    bunker.setFaults(undefined);

    const inWork = await saga.start(id, FEES);
    await askedToSign(bunker, 1);
    await keep('mid-flight', inWork);
    await inWork.cancel({ reason: 'recorded' });
    await ended(inWork);
    await keep('cancelled-in-work', inWork);

    const gate = new Gate();
    gate.close();
    const other = await saga.addOperator({ machines: 2, bunker: { onRequest: gate.onRequest } });
    const byTemporal = await saga.start(other.id, FEES);
    await askedToSign(other.bunker, 1);
    await saga.client.workflow.getHandle(byTemporal.workflowId, byTemporal.runId).cancel();
    gate.open();
    await ended(byTemporal);
    await keep('cancelled-by-temporal', byTemporal);
  }));

test('cancelled before a worker was there', async () => {
  const saga = await startPatientSaga();
  const run = await saga.start((await saga.addOperator({ machines: 1 })).id);
  await saga.client.workflow.getHandle(run.workflowId, run.runId).cancel();
  await saga.startWorker();
  await ended(run);
  await keep('cancelled-at-once', run);
  await saga.stop();
});
