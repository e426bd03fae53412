import { randomBytes, randomUUID } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { seedOperator } from '../../dev/seed';
import { startBunker } from '../../dev/bunker';
import { addBunkerSigner } from '../../pairing/signers';
import { type BarePeer, startBareRelay } from '../support/bare-relay';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { startSaga } from '../support/saga';
import { until } from '../support/until';
import { startWorkerChild } from '../support/worker-child';

/**
 * What a hostile relay sends, in turn: text, frames, and events in anybody's name, some of them large. `npm
 * run test:faults` says 10,000.
 */
const MESSAGES = Number(process.env.REPUBLISH_TEST_GARBAGE ?? 1_200);
const LARGE_CHARS = 200_000;
/** What is in the bunker's name makes the client leave; a hostile relay is seldom so plain. */
const UNREADABLE_EVERY = 60;
const RUNS_TO_WARM_UP = 6;
/** Growth of the worker's memory from there to the end. All of the garbage together is far more. */
const FLAT_MB = 64;

test(`37: ${MESSAGES} messages of garbage from a hostile bunker relay: the worker lives, its memory is flat, others are not disturbed`, async () => {
  const saga = await startSaga();
  const other = await addOperatorWithCanaries(saga, { machines: 4 });
  let sent = 0;
  let sentChars = 0;
  let isHostile = false;
  let bunkerPubkey = getPublicKey(generateSecretKey());

  const eventLike = (fields: object): object => ({
    id: randomBytes(32).toString('hex'),
    pubkey: bunkerPubkey,
    kind: 24133,
    created_at: Math.floor(Date.now() / 1000),
    tags: [],
    content: 'AgAA',
    sig: randomBytes(64).toString('hex'),
    ...fields,
  });
  const garbage = (subscription: string, nth: number): string => {
    const large = 'x'.repeat(LARGE_CHARS);
    const kinds: (() => string)[] = [
      () => '{"no": "frame"}',
      () => large,
      () => JSON.stringify(['EVENT', subscription, eventLike({ content: large, kind: 1 })]),
      () => JSON.stringify(['EVENT', subscription, eventLike({ pubkey: 'ab'.repeat(32) })]),
      () => JSON.stringify(['EVENT', subscription, { toString: 1 }]),
      () => JSON.stringify(['EVENT', randomUUID(), eventLike({})]),
      () => JSON.stringify(['OK', randomUUID(), false, large]),
      () => JSON.stringify(['OK', { toString: 1 }, 'yes', null]),
      () => JSON.stringify(['NOTICE', `slow down\u0000\u001b[2J${large}`]),
      () => JSON.stringify(['AUTH', randomUUID()]),
      () => JSON.stringify(['CLOSED', randomUUID(), large]),
      () => JSON.stringify([nth, nth, nth]),
    ];
    if (nth % UNREADABLE_EVERY === 0) return JSON.stringify(['EVENT', subscription, eventLike({})]);
    return kinds[nth % kinds.length]!();
  };
  const flood = async (subscription: string, peer: BarePeer): Promise<void> => {
    while (isHostile && sent < MESSAGES && peer.isOpen) {
      // In portions, as a network would deliver them.
      for (let count = 0; count < 50 && peer.isOpen; count += 1, sent += 1) {
        const text = garbage(subscription, sent);
        sentChars += text.length;
        peer.sendText(text);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const hostile = await startBareRelay({
    onRequest: (subscription, filters, peer, relay) => {
      relay.answer(subscription, filters, peer);
      if (isHostile) void flood(subscription, peer);
    },
  });
  saga.onStop(() => hostile.stop());

  try {
    // Its bunker is reached over the hostile relay alone, which was a good one when they paired.
    const bunker = await startBunker({ relays: [hostile.url] });
    saga.onStop(() => bunker.stop());
    bunkerPubkey = bunker.signerPubkey;
    const machines = await seedOperator(saga.database, {
      id: 'victim',
      pubkey: bunker.userPubkey,
      machines: 1,
    });
    await addBunkerSigner(
      {
        database: saga.database,
        configuration: saga.configuration({ REPUBLISH_BUNKER_TIMEOUT_MS: '20000' }),
        operatorUserId: 'victim',
        say: () => undefined,
      },
      bunker.uri(),
    );
    const worker = await startWorkerChild(saga, { env: { REPUBLISH_DOCUMENT_TIMEOUT_MS: '20000' } });
    // What the runs of others take, and what is compiled for them, is not the garbage's.
    for (let run = 1; run <= RUNS_TO_WARM_UP; run += 1)
      await runUnderFault(saga, other, { input: { force: true, resetCounts: true } });
    const before = residentMb(worker.pid);

    isHostile = true;
    bunker.pause();
    // Whoever waits for that bunker keeps the way to it open.
    const victim = { id: 'victim', machines, bunker };
    const flooded = (async () => {
      while (sent < MESSAGES) await runUnderFault(saga, victim);
    })();
    let undisturbed = 0;
    while (sent < MESSAGES) {
      const { failure, ids } = await runUnderFault(saga, other, {
        input: { force: true, resetCounts: true },
      });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(8);
      undisturbed += 1;
    }
    await flooded;
    expect(undisturbed).toBeGreaterThan(0);
    expect(sent).toBeGreaterThanOrEqual(MESSAGES);
    // Far more than what is allowed to stay.
    expect(sentChars).toBeGreaterThan(MESSAGES * 60_000);
    expect(worker.hasExited()).toBe(false);
    // Measured as before the flood, behind a run: what is on its way at the last message is not what stays.
    // Nor is what was not collected yet: a busy machine does that late.
    await until(async () => {
      await runUnderFault(saga, other, { input: { force: true, resetCounts: true } });
      return residentMb(worker.pid) - before < FLAT_MB;
    }, 60_000);

    // Once the relay is a good one again, so is the run.
    isHostile = false;
    bunker.resume();
    await until(async () => (await runUnderFault(saga, victim)).failure === undefined, 60_000);
  } finally {
    await saga.stop();
  }
}, 300_000);

function residentMb(pid: number): number {
  return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) / 1024;
}
