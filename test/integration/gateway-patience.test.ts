import { ApplicationFailure } from '@temporalio/common';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { freePort } from '../../embedded/free-port';
import { type ActivityBench, startActivities } from '../support/activities';
import { startBareRelay } from '../support/bare-relay';
import { fails } from '../support/fails';
import { type Saga, startSaga } from '../support/saga';

const PATIENCE = { firstPauseMs: 1_000, maxPauseMs: 30_000, documentTimeoutMs: 1_800_000 };

let saga: Saga;
beforeAll(async () => {
  saga = await startSaga();
});
afterAll(() => saga.stop());

/** An operator whose key is here, and the relay that takes nothing for now. */
async function begin() {
  const secretKey = generateSecretKey();
  const operator = await saga.addLocalOperator({
    machines: 1,
    secretKeyHex: Buffer.from(secretKey).toString('hex'),
    pubkey: getPublicKey(secretKey),
  });
  const full = await startBareRelay({
    onEvent: (event, peer) => peer.send('OK', event.id, false, 'error: full'),
  });
  saga.onStop(() => full.stop());
  return { operator, full: full.url };
}

const benchOver = (url: string, relayTimeoutMs = 10_000): ActivityBench =>
  startActivities(saga, {
    env: { REPUBLISH_RELAYS: url, REPUBLISH_RELAY_TIMEOUT_MS: `${relayTimeoutMs}` },
    patience: PATIENCE,
  });

/** How each of a number of attempts at the first page of a run ends. */
async function failuresOf(bench: ActivityBench, runId: string, attempts: number) {
  const failures: ApplicationFailure[] = [];
  while (failures.length < attempts)
    failures.push(await fails(ApplicationFailure, bench.call('republishDocuments', { runId, page: 0 })));
  return failures;
}

test('a gateway that has lost its relays is waited for in half minutes, and the failure says what to do in LNbits', async () => {
  const down = `ws://127.0.0.1:${await freePort()}`;
  const gateway = await startNostrclientGateway({ relays: [down], wsId: 'canary-ws-id', timeScale: 0.02 });
  saga.onStop(() => gateway.stop());
  // It never answers.
  const bench = benchOver(gateway.url, 300);
  const { operator, full } = await begin();
  // Before anything is sealed, and when the document is signed.
  const unsigned = await bench.plan(operator, { documentTypes: ['bitspire-fees'] });
  const signed = await bench.plan(operator, { documentTypes: ['bitspire-cassettes'] });
  await benchOver(full).call('republishDocuments', { runId: signed.runId, page: 0 });
  for (const [{ runId }, said] of [
    [unsigned, '0 of the 1 required relays report what stands at the address'],
    [signed, '0 of the 1 required relays hold the document'],
  ] as const) {
    for (const failure of await failuresOf(bench, runId, 3)) {
      expect(failure).toMatchObject({
        type: 'RelayQuorumNotReached',
        nonRetryable: false,
        nextRetryDelay: 30_000,
      });
      expect(failure.message).toContain(said);
      expect(failure.message).toMatch(
        /LNbits connects a lost one after 60 s × its errors; in LNbits open Nostr Client/,
      );
      expect(failure.message).not.toContain('canary');
    }
  }
  expect((await saga.ledger(unsigned.runId)).map(({ event, tries }) => [event, tries])).toEqual([[null, 3]]);
});

test('whatever is tried again at once keeps the usual pause, which doubles', async () => {
  const { operator, full } = await begin();
  const bench = benchOver(full);
  const { runId } = await bench.plan(operator, { documentTypes: ['bitspire-fees'] });
  // The first attempt gets as far as a signature.
  expect(await bench.call('republishDocuments', { runId, page: 0 })).toMatchObject({
    counts: { open: 1, signed: 1 },
    waiting: [{ why: expect.stringContaining('RelayQuorumNotReached') as string }],
  });
  const failures = await failuresOf(bench, runId, 3);
  expect(failures.map(({ type }) => type)).toEqual(Array(3).fill('RelayQuorumNotReached'));
  expect(failures.map(({ nextRetryDelay }) => nextRetryDelay)).toEqual([2_000, 4_000, 8_000]);
});
