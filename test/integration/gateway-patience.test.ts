import { ApplicationFailure } from '@temporalio/common';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { freePort } from '../../embedded/free-port';
import { startActivities } from '../support/activities';
import { startBareRelay } from '../support/bare-relay';
import { fails } from '../support/fails';
import { type Saga, startSaga } from '../support/saga';

const PATIENCE = { firstPauseMs: 1_000, maxPauseMs: 30_000, documentTimeoutMs: 1_800_000 };

let saga: Saga;
beforeAll(async () => {
  saga = await startSaga();
});
afterAll(() => saga.stop());

/** What the attempts at a page of one signed document end with, while the only relay is the one at `url`. */
async function failuresOver(url: string, attempts: number): Promise<ApplicationFailure[]> {
  const secretKey = generateSecretKey();
  const operator = await saga.addLocalOperator({
    machines: 1,
    secretKeyHex: Buffer.from(secretKey).toString('hex'),
    pubkey: getPublicKey(secretKey),
  });
  const env = { REPUBLISH_RELAYS: url, REPUBLISH_RELAY_TIMEOUT_MS: '300' };
  const bench = startActivities(saga, { env, patience: PATIENCE });
  const { runId } = await bench.plan(operator, { documentTypes: ['bitspire-fees'] });
  const page = { runId, page: 0 };
  // The first attempt gets as far as a signature.
  expect(await bench.call('republishDocuments', page)).toMatchObject({
    counts: { open: 1, signed: 1 },
    waiting: [{ why: expect.stringContaining('RelayQuorumNotReached') as string }],
  });
  const failures: ApplicationFailure[] = [];
  while (failures.length < attempts)
    failures.push(await fails(ApplicationFailure, bench.call('republishDocuments', page)));
  return failures;
}

test('a gateway that has lost its relays is waited for in half minutes, and the failure says what to do in LNbits', async () => {
  const down = `ws://127.0.0.1:${await freePort()}`;
  const gateway = await startNostrclientGateway({ relays: [down], wsId: 'canary-ws-id', timeScale: 0.02 });
  saga.onStop(() => gateway.stop());
  for (const failure of await failuresOver(gateway.url, 3)) {
    expect(failure).toMatchObject({
      type: 'RelayQuorumNotReached',
      nonRetryable: false,
      nextRetryDelay: 30_000,
    });
    expect(failure.message).toMatch(
      /LNbits connects a lost one after 60 s × its errors; in LNbits open Nostr Client/,
    );
    expect(failure.message).not.toContain('canary');
  }
});

test('whatever is tried again at once keeps the usual pause, which doubles', async () => {
  const relay = await startBareRelay({
    onEvent: (event, peer) => peer.send('OK', event.id, false, 'error: full'),
  });
  saga.onStop(() => relay.stop());
  const failures = await failuresOver(relay.url, 3);
  expect(failures.map(({ type }) => type)).toEqual(Array(3).fill('RelayQuorumNotReached'));
  expect(failures.map(({ nextRetryDelay }) => nextRetryDelay)).toEqual([2_000, 4_000, 8_000]);
});
