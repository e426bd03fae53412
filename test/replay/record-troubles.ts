import { generateSecretKey } from 'nostr-tools/pure';
import { startBunker } from '../../dev/bunker';
import { addBunkerSigner } from '../../pairing/signers';
import { Gate } from '../support/gate';
import type { SagaOperator } from '../support/saga';
import { askedToSign, ended, FEES, keep, soon, withSaga } from './keep';

// Records trouble on the way: `npm run test:replay:record`.
jest.setTimeout(240_000);

/** Encryptions for the first machine get no answer; those of the proof, which are for another key, do. */
function swallowEncryptions({ bunker, machines: [machine] }: SagaOperator, times = Infinity): void {
  let swallowed = 0;
  bunker.setFaults(({ method, params }) => {
    if (method !== 'nip44_encrypt' || params[0] !== machine?.atmPubkey || swallowed >= times)
      return undefined;
    swallowed += 1;
    return { swallow: true };
  });
}

test('a slow bunker: the page yields, again and again', () =>
  withSaga({ REPUBLISH_BUNKER_CONCURRENCY: '1' }, async (saga) => {
    const { id } = await saga.addOperator({ machines: 15, bunker: { answerDelayMs: 800, concurrency: 1 } });
    const run = await saga.start(id, FEES);
    await run.result();
    await keep('yielded', run);
  }));

test('a bunker that does not answer at first', () =>
  withSaga({ REPUBLISH_BUNKER_TIMEOUT_MS: '1000' }, async (saga) => {
    const operator = await saga.addOperator({ machines: 1 });
    swallowEncryptions(operator, 1);
    const run = await saga.start(operator.id, FEES);
    await run.result();
    await keep('retried', run);
  }));

test('a page that waits for its next attempt: somebody wants it tried at once; its time is over', () =>
  withSaga({ REPUBLISH_BUNKER_TIMEOUT_MS: '1000', REPUBLISH_RETRY_INTERVAL_MS: '600000' }, async (saga) => {
    const operator = await saga.addOperator({ machines: 1 });
    swallowEncryptions(operator);
    const retried = await saga.start(operator.id, FEES);
    await soon(async () => (await retried.status()).retrying.length > 0);
    operator.bunker.setFaults(undefined);
    await retried.retry();
    await retried.result();
    await keep('retried-in-back-off', retried);

    const other = await saga.addOperator({ machines: 1 });
    swallowEncryptions(other);
    const late = await saga.start(other.id, FEES);
    await soon(async () => (await late.status()).retrying.length > 0);
    // Nobody waits a day for that: the server is told of a shorter time.
    await saga.client.workflowService.updateActivityOptions({
      namespace: 'default',
      execution: { workflowId: late.workflowId, runId: late.runId },
      id: 'page 0',
      activityOptions: { scheduleToCloseTimeout: { seconds: 1 } as never },
      updateMask: { paths: ['schedule_to_close_timeout'] },
    });
    await ended(late);
    await keep('timed-out', late);
  }));

test('another signer is paired in the middle', () =>
  withSaga({ REPUBLISH_DOCUMENTS_PER_PAGE: '1' }, async (saga) => {
    const userSecretKey = generateSecretKey();
    const gate = new Gate();
    gate.close();
    const { id, bunker } = await saga.addOperator({
      machines: 6,
      bunker: { userSecretKey, onRequest: gate.onRequest },
    });
    const run = await saga.start(id, FEES);
    await askedToSign(bunker, 1);
    const next = await startBunker({ relays: [saga.relays[0]?.url ?? ''], userSecretKey });
    saga.onStop(() => next.stop());
    await addBunkerSigner(
      {
        database: saga.database,
        configuration: saga.configuration(),
        operatorUserId: id,
        say: () => undefined,
      },
      next.uri(),
    );
    gate.open();
    await run.result();
    await keep('signer-replaced', run);
  }));

test('a person approves the proof, and a document', () =>
  withSaga({}, async (saga) => {
    const { id, bunker } = await saga.addOperator({ machines: 1 });
    const approved = new Set<string>();
    bunker.setFaults(({ method }) => {
      if (!['get_public_key', 'sign_event'].includes(method) || approved.has(method)) return undefined;
      approved.add(method);
      return { authUrl: 'https://bunker.example.com/approve', afterMs: 1_000 };
    });
    const run = await saga.start(id, FEES);
    await run.result();
    await keep('approved', run);
  }));
