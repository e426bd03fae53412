import type { ProcessGroup } from '../../embedded/process-group';
import { startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { startSaga } from '../support/saga';
import { startWorkerChild } from '../support/worker-child';

/** `npm run test:faults` says 500. */
const MACHINES = Number(process.env.REPUBLISH_TEST_MACHINES ?? 24);
const DOCUMENTS = 2 * MACHINES;
/** Every tenth request is heard and never answered. */
const SILENT_SHARE = 0.1;
const SEED = 20_261_124;
/** Signatures that are asked for between two kills. */
const KILLED_AFTER = Math.min(DOCUMENTS / 4, 50);

test(`36: ${DOCUMENTS} documents, the worker killed again and again, the bunker silent now and then, one of three relays down`, async () => {
  const random = randomFrom(SEED);
  const saga = await startSaga({ relays: 3 });
  const proxy = await startFaultProxy(saga.relays[2]?.url ?? '');
  saga.onStop(() => proxy.stop());
  await proxy.down();
  try {
    const operator = await addOperatorWithCanaries(saga, { machines: MACHINES });
    const signaturesAsked = (): number =>
      operator.bunker.requests.filter(({ method }) => method === 'sign_event').length;
    let swallowed = 0;
    operator.bunker.setFaults(({ method }) => {
      // Whether the run may begin is asked of a bunker that answers: what is tested are its documents.
      if (method === 'get_public_key' || random() >= SILENT_SHARE) return undefined;
      swallowed += 1;
      return { swallow: true };
    });
    const env = {
      REPUBLISH_RELAYS: [saga.relays[0]?.url, saga.relays[1]?.url, proxy.url].join(','),
      // With a thousand documents it happens that one gets no answer three times in a row. It must not fail
      // for that.
      REPUBLISH_DOCUMENT_TIMEOUT_MS: '300000',
      REPUBLISH_BUNKER_TIMEOUT_MS: '1500',
      // More in flight is more that each kill undoes: with 40 the same run takes twice as long.
      REPUBLISH_BUNKER_CONCURRENCY: DOCUMENTS > 200 ? '16' : '8',
    };
    let worker: ProcessGroup = await startWorkerChild(saga, { env });
    let kills = 0;
    const { ids, failure, audit, ledger } = await runUnderFault(saga, operator, {
      watchEveryMs: 500,
      during: async (run) => {
        const ended = run.result().then(
          () => true,
          () => true,
        );
        // By what was signed, and not by the clock: however fast the machine is.
        for (let next = KILLED_AFTER; ; next += KILLED_AFTER) {
          while (signaturesAsked() < next) {
            const pause = new Promise<false>((resolve) => setTimeout(resolve, 50, false));
            if (await Promise.race([ended, pause])) return;
          }
          worker.kill('SIGKILL');
          kills += 1;
          await worker.exited;
          worker = await startWorkerChild(saga, { env });
        }
      },
    });
    expect(failure).toBeUndefined();
    expect(kills).toBeGreaterThan(1);
    expect(swallowed).toBeGreaterThan(DOCUMENTS * SILENT_SHARE);
    // Every document exactly once, at the relays as in the result.
    expect(new Set(ids).size).toBe(DOCUMENTS);
    expect(ids).toHaveLength(DOCUMENTS);
    expect(ledger.map(({ outcome }) => outcome)).toEqual(Array(DOCUMENTS).fill('published'));
    for (const relay of saga.relays.slice(0, 2)) {
      const stored = relay.events().filter(({ pubkey }) => pubkey === operator.bunker.userPubkey);
      expect(stored.map(({ id }) => id).sort()).toEqual(ids.toSorted());
    }
    expect(audit.outcome).toBe('complete');
    expect(audit.laggards.length).toBe(DOCUMENTS);
  } finally {
    await saga.stop();
  }
}, 600_000);

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
