import { ApplicationFailure } from '@temporalio/common';
import { defaultActivityInfo, MockActivityEnvironment } from '@temporalio/testing';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { createActivities } from '../../activities/create-activities';
import type { ActivityDependencies } from '../../activities/dependencies';
import { startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { freePort } from '../../embedded/free-port';
import { RelayPool } from '../../nostr/relays/pool';
import { RelayPublisher } from '../../nostr/relays/publisher';
import { startBareRelay } from '../support/bare-relay';

const secretKey = generateSecretKey();
const operatorPubkey = getPublicKey(secretKey);
const LIMITS = {
  documentTimeoutMs: 1_800_000,
  maxAttempts: 10,
  initialRetryIntervalMs: 1_000,
  maxRetryIntervalMs: 30_000,
  heartbeatTimeoutMs: 12_000,
};

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

/** What attempt number `attempt` at publishing a signed document over the relay ends with. Of the database only rows are needed. */
async function failureOver(url: string, attempt: number): Promise<ApplicationFailure> {
  const pool = new RelayPool({ connectTimeoutMs: 1_000 });
  cleanUp.push(() => pool.close());
  const publisher = new RelayPublisher({ pool, relays: [url], quorum: 1, replyTimeoutMs: 300 });
  const { sig, ...event } = finalizeEvent(
    { kind: 30078, created_at: 1_800_000_000, tags: [['d', 'fees:x']], content: 'c' },
    secretKey,
  );
  const row = {
    runId: 'run',
    documentType: 'fees',
    machineId: 'x',
    operatorUserId: 'operator',
    operatorPubkey,
    outcome: null,
    signer: null,
    reused: false,
    event: { ...event, tags: event.tags },
    signature: sig,
  };
  const dependencies = {
    publisher,
    limits: LIMITS,
    ledger: { begin: () => Promise.resolve(row) },
    database: { query: () => Promise.resolve({ rows: [] }) },
    failpoint: () => undefined,
    onUnexpected: (_: string, error: Error) => {
      throw error;
    },
  } as unknown as ActivityDependencies;
  const environment = new MockActivityEnvironment({ ...defaultActivityInfo, attempt });
  const failure = await environment.run(createActivities(dependencies).republishDocument, 1).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(failure instanceof ApplicationFailure)) throw new Error(`not a failure: ${String(failure)}`);
  return failure;
}

test('a gateway that has lost its relays is waited for in minutes, longer each time, and the failure says what to do in LNbits', async () => {
  const down = `ws://127.0.0.1:${await freePort()}`;
  const gateway = await startNostrclientGateway({ relays: [down], wsId: 'canary-ws-id', timeScale: 0.02 });
  cleanUp.push(() => gateway.stop());
  for (const [attempt, pauseMs] of [
    [1, 30_000],
    [4, 120_000],
  ] as const) {
    const failure = await failureOver(gateway.url, attempt);
    expect(failure).toMatchObject({
      type: 'RelayQuorumNotReached',
      nonRetryable: false,
      nextRetryDelay: pauseMs,
    });
    expect(failure.message).toMatch(
      /LNbits connects a lost one after 60 s × its errors; in LNbits open Nostr Client/,
    );
    expect(failure.message).not.toContain('canary');
  }
});

test('whatever is tried again at once keeps the usual pause', async () => {
  const relay = await startBareRelay({
    onEvent: (event, peer) => peer.send('OK', event.id, false, 'error: full'),
  });
  cleanUp.push(() => relay.stop());
  const failure = await failureOver(relay.url, 1);
  expect(failure.type).toBe('RelayQuorumNotReached');
  expect(failure.nextRetryDelay).toBeUndefined();
});
