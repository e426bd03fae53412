import type { WaitingDocument } from '../../contract/progress';
import { startRelay } from '../../dev/relay';
import type { SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import { startBareRelay } from '../support/bare-relay';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy';
import { addOperatorWithCanaries, runUnderFault } from '../support/fault-run';
import { REAL } from '../support/real-timings';
import { khatruLimits } from '../support/khatru-limits';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

/** khatru's own limits as they are take half an hour. */
const SCALE = REAL ? 120 : 1;

describe('relays that limit', () => {
  let saga: Saga;
  let worker: Awaited<ReturnType<Saga['startWorker']>>;

  beforeAll(async () => {
    saga = await startSaga();
  });
  // One at a time: another test's worker has other relays.
  afterEach(() => worker.stop());
  afterAll(() => saga.stop());

  /** What is slow here is a relay's limit: a busy machine must not pass for a silent relay or a lost worker. */
  const PATIENT = {
    REPUBLISH_BUNKER_TIMEOUT_MS: '60000',
    REPUBLISH_RELAY_TIMEOUT_MS: '20000',
    REPUBLISH_HEARTBEAT_TIMEOUT_MS: '30000',
  };

  async function startWorker(env: Record<string, string>): Promise<void> {
    worker = await saga.startWorker({ env: REAL ? env : { ...PATIENT, ...env } });
  }

  async function publish(url: string, event: SignedEvent): Promise<void> {
    const connection = await RelayConnection.open({ url, connectTimeoutMs: 20_000 });
    await connection.publish(event, 20_000);
    connection.close();
  }

  async function behindProxy(env: Record<string, string> = {}): Promise<FaultProxy> {
    const proxy = await startFaultProxy(saga.relays[0]?.url ?? '');
    saga.onStop(() => proxy.stop());
    await startWorker({ REPUBLISH_RELAYS: proxy.url, ...env });
    return proxy;
  }

  test(
    '54: 24 documents on a relay that takes 2 events each 1.5 s after a burst of 10, and 20 filters each 3 s: all stand, and it is said what is waited for',
    async () => {
      // Less than it takes: time that a relay is slow is not counted.
      const proxy = await behindProxy({
        REPUBLISH_DOCUMENT_TIMEOUT_MS: REAL ? '600000' : '8000',
        // What a document waits for is shown with the heartbeats.
        REPUBLISH_HEARTBEAT_TIMEOUT_MS: '4000',
      });
      const limits = khatruLimits({
        events: { burst: 10, perTick: 2, everyMs: 1_500 * SCALE },
        filters: { burst: 20, perTick: 20, everyMs: REAL ? 60_000 : 3_000 },
      });
      proxy.setFault(limits.fault);
      const operator = await addOperatorWithCanaries(saga, { machines: 12 });
      const seen = new Map<string, WaitingDocument>();
      const beganAtMs = Date.now();
      const { failure, ids, ledger } = await runUnderFault(saga, operator, {
        during: async (run) => {
          for await (const { waiting } of run.watch({ intervalMs: REAL ? 1_000 : 200 }))
            for (const each of waiting) seen.set(each.why, each);
        },
      });
      if (REAL) console.log({ tookS: (Date.now() - beganAtMs) / 1_000, limits, said: [...seen.keys()] });
      expect(failure).toBeUndefined();
      expect(ids).toHaveLength(24);
      expect(ledger.map(({ tries }) => tries)).toEqual(Array(24).fill(0));
      // None is signed twice. One whose answer was lost may be sent twice.
      expect(new Set(proxy.events().map(({ id }) => id)).size).toBe(24);
      expect(limits.events.taken).toBeLessThan(2 * 24);
      const said = [...seen.values()].filter(({ why }) =>
        /^waits for ws:\S+, which takes events slowly: until \d\d:\d\d:\d\d UTC \(rate-limited: /.test(why),
      );
      expect(said.length).toBeGreaterThan(0);
      expect(said.every(({ since }) => since === undefined)).toBe(true);
    },
    REAL ? 90 * 60_000 : 120_000,
  );

  test('54: a relay that lets nothing through for the time of a document: RelayThrottled, with its words', async () => {
    const proxy = await behindProxy({ REPUBLISH_DOCUMENT_TIMEOUT_MS: '1000' });
    const message = 'rate-limited: slow down, please';
    proxy.setFault(({ type }) => (type === 'EVENT' ? { answer: { ok: false, message } } : undefined));
    const operator = await addOperatorWithCanaries(saga, { machines: 2 });
    const { failure, ids } = await runUnderFault(saga, operator);
    expect(ids).toEqual([]);
    expect(failure?.failures.map(({ type }) => type)).toEqual(Array(4).fill('RelayThrottled'));
    // Also where a document was not sent any more, because the relay had refused others.
    for (const each of failure?.failures ?? []) expect(each.message).toContain(`refused (${message})`);
    // More and more seldom.
    expect(proxy.events().length).toBeLessThan(12);
  }, 60_000);

  describe('53: documents that were deleted (NIP-09) before a run', () => {
    /** A run, the deletion of its document, and what the bunker is asked for in the next one. */
    async function deletedAndRepublished(
      deletions: 'deleted' | 'blocked' | 'duplicate',
      tag: 'a' | 'e',
    ): Promise<{ first: string[]; second: string[]; signatures: number; held: string[] }> {
      const relay = await startRelay({ deletions });
      saga.onStop(() => relay.stop());
      await startWorker({ REPUBLISH_RELAYS: relay.url });
      const operator = await saga.addOperator({ machines: 1 });
      const input = { documentTypes: ['bitspire-fees'] };
      const first = Object.values(await (await saga.start(operator.id, input)).result()).flat();
      const [event] = relay.events();
      const d = event?.tags.find(([name]) => name === 'd')?.[1] ?? '';
      await publish(
        relay.url,
        operator.bunker.signAsUser({
          kind: 5,
          created_at: event?.created_at ?? 0,
          tags: [tag === 'a' ? ['a', `30078:${event?.pubkey}:${d}`] : ['e', event?.id ?? '']],
          content: '',
        }),
      );
      expect(relay.events().filter(({ kind }) => kind === 30078)).toEqual([]);
      const asked = operator.bunker.requests.length;
      const second = Object.values(await (await saga.start(operator.id, input)).result()).flat();
      const signatures = operator.bunker.requests
        .slice(asked)
        .filter(({ method }) => method === 'sign_event').length;
      const held = relay.events().flatMap(({ kind, id }) => (kind === 30078 ? [id] : []));
      return { first, second, signatures, held };
    }

    test.each<['deleted' | 'blocked' | 'duplicate', 'a' | 'e', string]>([
      ['deleted', 'a', 'strfry'],
      ['blocked', 'e', 'khatru'],
      ['duplicate', 'a', 'nostr-rs-relay'],
    ])('"%s:" (by %s, as %s does): sealed anew by itself, once', async (wording, tag) => {
      const { first, second, signatures, held } = await deletedAndRepublished(wording, tag);
      expect(second).toHaveLength(1);
      expect(second).not.toEqual(first);
      expect(held).toEqual(second);
      expect(signatures).toBe(1);
    });
  });

  test('53: a relay that refuses the author for good is not asked with another event, and no signature is asked for', async () => {
    const proxy = await startFaultProxy(saga.relays[0]?.url ?? '');
    saga.onStop(() => proxy.stop());
    await startWorker({ REPUBLISH_RELAYS: proxy.url });
    const operator = await saga.addOperator({ machines: 1 });
    const input = { documentTypes: ['bitspire-fees'] };
    const [id = ''] = Object.values(await (await saga.start(operator.id, input)).result()).flat();
    saga.relays[0]?.drop(id);
    proxy.setFault(({ type }) =>
      type === 'EVENT' ? { answer: { ok: false, message: 'blocked: pubkey not admitted' } } : undefined,
    );
    const asked = operator.bunker.requests.length;
    await expect((await saga.start(operator.id, input)).result()).rejects.toMatchObject({
      failures: [{ type: 'RelayRefused' }],
    });
    expect(operator.bunker.requests.slice(asked).filter(({ method }) => method !== 'get_public_key')).toEqual(
      [],
    );
  });

  test('53: an event of an earlier run that is older than relays take (created_at_lower_limit) is sealed anew without being sent; one that stands is left', async () => {
    const relay = await startBareRelay();
    const limitS = 2;
    relay.information = JSON.stringify({ limitation: { created_at_lower_limit: limitS } });
    saga.onStop(() => relay.stop());
    await startWorker({ REPUBLISH_RELAYS: relay.url });
    const operator = await saga.addOperator({ machines: 2 });
    const republish = async (): Promise<string[]> =>
      Object.values(
        await (await saga.start(operator.id, { documentTypes: ['bitspire-fees'] })).result(),
      ).flat();
    const [gone = '', standing = ''] = await republish();
    const newestS = Math.max(...relay.stored.map(({ created_at }) => created_at));
    await until(() => Date.now() / 1_000 - newestS > limitS + 2);
    relay.stored = relay.stored.filter(({ id }) => id !== gone);
    const sent = relay.countOf('EVENT');
    const second = await republish();
    expect(second).toHaveLength(2);
    expect(second).toContain(standing);
    expect(second).not.toContain(gone);
    expect(relay.countOf('EVENT') - sent).toBe(1);
  });
});
