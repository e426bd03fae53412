import { randomBytes } from 'node:crypto';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { WORKFLOW_TYPE } from '../../contract/names';
import { startRelay } from '../../dev/relay';
import { DOCUMENT_KIND } from '../../documents/document-type';
import { RelayConnection } from '../../nostr/relays/connection';
import { Gate } from '../support/gate';
import { askedToSign, ended, FEES, keep, refuse, withSaga } from './keep';

// Records how runs end that nobody interferes with: `npm run test:replay:record`.
jest.setTimeout(240_000);

test('complete, unchanged, forced; of one document; without machines; with a bad row', () =>
  withSaga({}, async (saga) => {
    const { id } = await saga.addOperator({ machines: 3 });
    const first = await saga.start(id, { reason: 'recorded' });
    await first.result();
    await keep('complete', first);
    const second = await saga.start(id);
    await second.result();
    await keep('unchanged', second);
    const third = await saga.start(id, { ...FEES, force: true });
    await third.result();
    await keep('forced', third);

    const one = await saga.addOperator({ machines: 2 });
    const narrow = await saga.start(one.id, { ...FEES, machineIds: [one.machines[0]?.id ?? ''] });
    await narrow.result();
    await keep('one-document', narrow);

    const none = await saga.start((await saga.addOperator({ machines: 0 })).id);
    await none.result();
    await keep('no-machines', none);

    const bad = await saga.addOperator({ machines: 2 });
    await saga.database.query(
      'UPDATE spirekeeper.dca_machines SET operator_cash_in_fee_fraction = 0.5 WHERE id = $1',
      [bad.machines[0]?.id],
    );
    const incomplete = await saga.start(bad.id);
    await ended(incomplete);
    await keep('bad-row', incomplete);
  }));

test('pages of one document: two of them; so many that they are loaded in parts', () =>
  withSaga({ REPUBLISH_DOCUMENTS_PER_PAGE: '1' }, async (saga) => {
    const two = await saga.start((await saga.addOperator({ machines: 2 })).id, FEES);
    await two.result();
    await keep('two-pages', two);

    const many = await saga.start((await saga.addOperator({ machines: 11 })).id, FEES);
    await many.result();
    await keep('loaded-in-parts', many);
  }));

test('a signer that refuses everything', () =>
  withSaga({ REPUBLISH_DOCUMENTS_PER_PAGE: '2' }, async (saga) => {
    const { id, bunker } = await saga.addOperator({ machines: 10 });
    refuse(bunker);
    const refused = await saga.start(id, FEES);
    await ended(refused);
    await keep('signer-refuses', refused);
  }));

test('a ledger that has lost a document meanwhile', () =>
  withSaga({ REPUBLISH_DOCUMENTS_PER_PAGE: '1' }, async (saga) => {
    const gate = new Gate();
    gate.close();
    const { id, machines, bunker } = await saga.addOperator({
      machines: 5,
      bunker: { onRequest: gate.onRequest },
    });
    const run = await saga.start(id, FEES);
    await askedToSign(bunker, 1);
    await saga.database.query('DELETE FROM republish.documents WHERE run_id = $1 AND machine_id = $2', [
      run.runId,
      machines[4]?.id,
    ]);
    gate.open();
    await ended(run);
    await keep('ledger-incomplete', run);
  }));

test('what the operator saves meanwhile stands', () =>
  withSaga({}, async (saga) => {
    const userSecretKey = generateSecretKey();
    const { id, machines, bunker } = await saga.addOperator({ machines: 1, bunker: { userSecretKey } });
    bunker.setFaults(async ({ method }) => {
      if (method !== 'sign_event') return undefined;
      const newer = finalizeEvent(
        {
          kind: DOCUMENT_KIND,
          created_at: Math.floor(Date.now() / 1000) + 5,
          tags: [['d', `bitspire-fees:${machines[0]?.atmPubkey}`]],
          content: randomBytes(99).toString('base64'),
        },
        userSecretKey,
      );
      const url = saga.relays[0]?.url ?? '';
      const connection = await RelayConnection.open({ url, connectTimeoutMs: 5_000 });
      await connection.publish(newer, 5_000);
      connection.close();
      return undefined;
    });
    const run = await saga.start(id, FEES);
    await run.result();
    await keep('superseded', run);
  }));

test('a relay that drops some documents for others', async () => {
  const relay = await startRelay({ keepPerAuthor: 4 });
  await withSaga({ REPUBLISH_RELAYS: relay.url }, async (saga) => {
    saga.onStop(() => relay.stop());
    const run = await saga.start((await saga.addOperator({ machines: 3 })).id);
    await ended(run);
    await keep('lost', run);
  });
});

test('failed: at loading, at the signer, at the sweep, and an input that is refused', () =>
  withSaga({}, async (saga) => {
    const unknown = await saga.start('nobody');
    await ended(unknown);
    await keep('failed-operator-not-found', unknown);

    const gate = new Gate();
    const { id, bunker } = await saga.addOperator({ machines: 1, bunker: { onRequest: gate.onRequest } });
    const expected = await saga.start(id, { expectedPubkey: 'e'.repeat(64) });
    await ended(expected);
    await keep('failed-pubkey-mismatch', expected);

    bunker.setFaults(({ method }) =>
      method === 'get_public_key' ? { reportPubkey: 'e'.repeat(64) } : undefined,
    );
    const mismatch = await saga.start(id);
    await ended(mismatch);
    await keep('failed-at-signer', mismatch);
    bunker.setFaults(undefined);

    gate.close();
    const outdated = await saga.start(id, FEES);
    await askedToSign(bunker, 1);
    await saga.database.query('UPDATE accounts SET pubkey = $1 WHERE id = $2', ['d'.repeat(64), id]);
    gate.open();
    await ended(outdated);
    await keep('failed-at-sweep', outdated);

    const refused = await saga.client.workflow.start(WORKFLOW_TYPE, {
      workflowId: 'republish-operator-configs/refused',
      taskQueue: saga.env.REPUBLISH_TASK_QUEUE ?? '',
      args: [{}],
    });
    await ended(refused);
    await keep('failed-invalid-input', {
      workflowId: refused.workflowId,
      runId: refused.firstExecutionRunId,
    });
  }));
