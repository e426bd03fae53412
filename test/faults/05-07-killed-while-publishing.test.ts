import { execFile } from 'node:child_process';
import { startWorkerProcess } from '../../embedded/worker-process';
import { startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { type Saga, startSaga } from '../support/saga';
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

  test('6: after the quorum, before the ledger says so: it is found there and not published as another', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const dying = await startWorkerChild(saga, { failpoint: 'after-quorum' });
    let held: string[] = [];
    let next: { stop(): Promise<void> } | undefined;

    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await dying.exited;
        expect(dying.epitaph()).toMatch(/^signal SIGKILL/);
        expect((await saga.ledger(run.runId)).map(({ outcome }) => outcome)).toEqual(Array(4).fill(null));
        held = storedIds(saga, operator.bunker.userPubkey);
        expect(held).not.toEqual([]);
        next = await saga.startWorker();
      },
    });
    await next?.stop();

    expect(failure).toBeUndefined();
    expect(ids).toEqual(expect.arrayContaining(held));
    expect(storedIds(saga, operator.bunker.userPubkey).sort()).toEqual(ids.toSorted());
  }, 90_000);

  test('6: after a page is settled, before Temporal knows its counts: nothing is asked or sent again, and the counts are right', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const dying = await startWorkerChild(saga, { failpoint: 'after-settle:2' });
    let asked = 0;
    let counts: unknown;
    let next: { stop(): Promise<void> } | undefined;

    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async (run) => {
        await dying.exited;
        expect(dying.epitaph()).toMatch(/^signal SIGKILL/);
        const rows = await saga.ledger(run.runId);
        expect(rows.map(({ outcome }) => outcome)).toEqual(Array(4).fill('published'));
        asked = operator.bunker.requests.length;
        next = await saga.startWorker();
        await run.result();
        counts = await run.progress();
      },
    });
    await next?.stop();

    expect(failure).toBeUndefined();
    expect(ids).toHaveLength(4);
    expect(operator.bunker.requests).toHaveLength(asked);
    expect(counts).toMatchObject({ phase: 'done', planned: 4, published: 4, failed: 0, open: 0 });
  }, 90_000);

  test('6: after the sweep, before Temporal knows, and a document vanishes then: it is swept again and sent once more', async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const dying = await startWorkerChild(saga, { failpoint: 'after-sweep' });
    let held: string[] = [];
    let next: { stop(): Promise<void> } | undefined;

    const { ids, failure } = await runUnderFault(saga, operator, {
      during: async () => {
        await dying.exited;
        expect(dying.epitaph()).toMatch(/^signal SIGKILL/);
        held = storedIds(saga, operator.bunker.userPubkey);
        saga.relays[0]?.drop(held[0] ?? '');
        expect(storedIds(saga, operator.bunker.userPubkey)).toHaveLength(3);
        next = await saga.startWorker();
      },
    });
    await next?.stop();

    expect(failure).toBeUndefined();
    expect(held).toHaveLength(4);
    expect(ids.toSorted()).toEqual(held.toSorted());
    expect(storedIds(saga, operator.bunker.userPubkey).sort()).toEqual(ids.toSorted());
  }, 90_000);

  test("7: after the audit is committed, before Temporal knows: the first one's row is the result", async () => {
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const dying = await startWorkerChild(saga, { failpoint: 'after-audit' });
    let written: unknown;
    let next: { stop(): Promise<void> } | undefined;

    const { failure, audit } = await runUnderFault(saga, operator, {
      during: async () => {
        await dying.exited;
        [written] = await saga.audits(operator.id);
        expect(written).toBeDefined();
        next = await saga.startWorker();
      },
    });
    await next?.stop();

    expect(failure).toBeUndefined();
    expect(audit).toEqual(written);
  }, 90_000);

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
  }, 60_000);
});

function storedIds(saga: Saga, pubkey: string): string[] {
  return (saga.relays[0]?.events() ?? []).filter((event) => event.pubkey === pubkey).map(({ id }) => id);
}
