import { execFile } from 'node:child_process';
import type { Failpoint } from '../../activities/failpoints';
import type { Progress } from '../../contract/progress';
import type { DocumentRow } from '../../database/ledger/documents';
import { startWorkerProcess } from '../../embedded/worker-process';
import { startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, type EndedRun, runUnderFault } from '../support/fault-run';
import { type Saga, type SagaOperator, startSaga } from '../support/saga';
import { startWorkerChild } from '../support/worker-child';

describe('kill -9 of the worker when relays have something', () => {
  let saga: Saga;

  beforeAll(async () => (saga = await startSaga()));
  afterAll(() => saga.stop());

  test('5: after an EVENT, before its OK: the relay gets the same event again', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const proxy = await startFaultProxy(saga.relays[0]?.url ?? '');
    saga.onStop(() => proxy.stop());
    const env = { REPUBLISH_RELAYS: proxy.url };
    const dying = await startWorkerChild(saga, { env });
    proxy.setFault(({ type }) => {
      if (type !== 'EVENT') return undefined;
      dying.kill('SIGKILL');
      return { swallowAnswer: true };
    });
    let next: { stop(): Promise<void> } | undefined;

    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await dying.exited;
        proxy.setFault(undefined);
        expect(proxy.events()).not.toEqual([]);
        expect((await saga.ledger(run.runId)).map(({ outcome }) => outcome)).toEqual(Array(4).fill(null));
        next = await saga.startWorker({ env });
      },
    });
    await next?.stop();

    expect(failure).toBeUndefined();
    expect(new Set(ids).size).toBe(4);
    expect([...new Set(proxy.events().map(({ id }) => id))].sort()).toEqual(ids.toSorted());
  }, 90_000);

  interface Scene {
    operator: SagaOperator;
    /** What is kept from the moment of the death for the end. */
    kept: Partial<Record<'held' | 'settled' | 'asked' | 'swept' | 'audit', unknown>>;
  }
  interface Death {
    what: string;
    failpoint: Failpoint | `${Failpoint}:${number}`;
    /** Held against the facts when the worker is dead, with the documents of the ledger. */
    atDeath(scene: Scene, documents: DocumentRow[]): Promise<void> | void;
    atEnd(scene: Scene, ended: EndedRun, counts: Progress): void;
  }
  const standing = ({ operator }: Scene): string[] => storedIds(saga, operator.bunker.userPubkey).sort();

  /** How often the bunker was asked to sign each of these documents. */
  const timesAsked = ({ bunker }: SagaOperator, documents: DocumentRow[]): number[] =>
    documents.map(({ documentType, atmPubkey }) => {
      const d = JSON.stringify(['d', `${documentType}:${atmPubkey}`]);
      return bunker.requests.filter(({ method, params }) => method === 'sign_event' && params[0]?.includes(d))
        .length;
    });

  const DEATHS: Death[] = [
    {
      what: '6: after the quorum, before the ledger says so: it is found there and not published as another',
      failpoint: 'after-quorum',
      atDeath(scene, documents) {
        expect(documents.map(({ outcome }) => outcome)).toEqual(Array(4).fill(null));
        scene.kept.held = standing(scene);
        expect(scene.kept.held).not.toEqual([]);
      },
      atEnd(scene, { ids }) {
        expect(ids).toEqual(expect.arrayContaining(scene.kept.held as string[]));
      },
    },
    {
      what: '6: after a page is settled, before Temporal knows its counts: nothing is asked or sent again, and the counts are right',
      failpoint: 'after-settle:2',
      atDeath({ operator, kept }, documents) {
        // On a slow machine a page is settled in parts, also twice where a heartbeat was late, and the other
        // page may still have open documents.
        const settled = documents.filter(({ outcome }) => outcome === 'published');
        expect(settled).not.toEqual([]);
        kept.asked = timesAsked(operator, settled);
        kept.settled = settled;
      },
      atEnd({ operator, kept }, _, counts) {
        expect(timesAsked(operator, kept.settled as DocumentRow[])).toEqual(kept.asked);
        expect(counts).toMatchObject({ phase: 'done', planned: 4, published: 4, failed: 0, open: 0 });
      },
    },
    {
      what: '6: after the sweep, before Temporal knows, and a document vanishes then: it is swept again and sent once more',
      failpoint: 'after-sweep',
      atDeath(scene) {
        scene.kept.swept = standing(scene);
        expect(scene.kept.swept).toHaveLength(4);
        saga.relays[0]?.drop(standing(scene)[0] ?? '');
        expect(standing(scene)).toHaveLength(3);
      },
      atEnd(scene, { ids }) {
        expect(ids.toSorted()).toEqual(scene.kept.swept);
      },
    },
    {
      what: "7: after the audit is committed, before Temporal knows: the first one's row is the result",
      failpoint: 'after-audit',
      async atDeath({ operator, kept }) {
        [kept.audit] = await saga.audits(operator.id);
        expect(kept.audit).toBeDefined();
      },
      atEnd({ kept }, { audit }) {
        expect(audit).toEqual(kept.audit);
      },
    },
  ];

  /** `npm test` kills the workers of one run in all these places, one after the other. */
  const RUNS: [name: string, deaths: Death[]][] = [
    ...(process.env.REPUBLISH_TEST_EACH_ALONE === 'yes'
      ? DEATHS.map((each): (typeof RUNS)[number] => [each.what, [each]])
      : []),
    ['6, 7: behind the quorum, a settled page, the sweep and the audit, one after the other', DEATHS],
  ];

  test.each(RUNS)(
    '%s',
    async (_name, deaths) => {
      const scene: Scene = { operator: await addOperatorWithCanaries(saga, { machines: 2 }), kept: {} };
      let dying = await startWorkerChild(saga, { failpoint: deaths[0]?.failpoint ?? 'after-quorum' });
      let counts: Progress | undefined;
      let next: { stop(): Promise<void> } | undefined;

      const ended = await runUnderFault(saga, scene.operator, {
        during: async (run) => {
          for (const [index, { atDeath }] of deaths.entries()) {
            await dying.exited;
            expect(dying.epitaph()).toMatch(/^signal SIGKILL/);
            await atDeath(scene, await saga.ledger(run.runId));
            const failpoint = deaths[index + 1]?.failpoint;
            if (failpoint !== undefined) dying = await startWorkerChild(saga, { failpoint });
          }
          next = await saga.startWorker();
          await run.result();
          counts = await run.progress();
        },
      });
      await next?.stop();

      expect(ended.failure).toBeUndefined();
      expect(new Set(ended.ids).size).toBe(4);
      expect(standing(scene)).toEqual(ended.ids.toSorted());
      for (const { atEnd } of deaths) atEnd(scene, ended, counts as Progress);
    },
    240_000,
  );

  test('1-7: production has no failpoints: with the variable set, `republish worker` does its work', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 1 });
    const env = { ...saga.env, REPUBLISH_FAILPOINT: 'after-load' };
    const worker = await startWorkerProcess(env, (line) => void saga.logs.push(line));
    saga.onStop(() => worker.stop('SIGTERM', 35_000));
    const { ids, failure } = await runUnderFault(saga, operator);
    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(2);
    expect(worker.hasExited()).toBe(false);
    // Nor could a configuration lead there: what is built and shipped does not hold the name.
    const found = await new Promise<string>((resolve) => {
      execFile('grep', ['-rl', 'REPUBLISH_FAILPOINT', 'dist'], (_error, stdout) => resolve(stdout));
    });
    expect(found).toBe('');
  }, 120_000);
});

function storedIds(saga: Saga, pubkey: string): string[] {
  return (saga.relays[0]?.events() ?? []).filter((event) => event.pubkey === pubkey).map(({ id }) => id);
}
