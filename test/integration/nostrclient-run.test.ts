import { type NostrclientGateway, startNostrclientGateway } from '../../dev/nostrclient-gateway';
import { shownRelay } from '../../nostr/relays/url';
import { escaped, placesOf } from '../support/canaries';
import { PATIENT } from '../support/patience';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

const WS_ID = 'canary-ws-id-1848';

const sentTo = (gateway: NostrclientGateway, type: string): unknown[][] =>
  gateway.received.filter((frame) => frame[0] === type);

describe('a run through a gateway', () => {
  let saga: Saga;
  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
  });
  afterAll(() => saga.stop());

  it('publishes, fails, and leaves no ws_id behind', async () => {
    const gateway = await startNostrclientGateway({
      relays: saga.relays.map(({ url }) => url),
      wsId: WS_ID,
      timeScale: 0.02,
    });
    saga.onStop(() => gateway.stop());
    await until(() => gateway.relays().every(({ connected }) => connected));
    const relays = { REPUBLISH_RELAYS: [gateway.url, `${gateway.url}-wrong`].join() };
    const worker = await saga.startWorker({ env: { ...PATIENT, ...relays, REPUBLISH_QUORUM: '1' } });
    const { id, machines } = await saga.addOperator({ machines: 2 });
    const run = await saga.start(id);
    const eventIds = Object.values(await run.result()).flat();
    expect(eventIds).toHaveLength(2 * machines.length);
    // The gateway shows what one of its relays has: the other one may be slower.
    for (const relay of saga.relays) {
      const stored = (): Set<string> => new Set(relay.events().map((event) => event.id));
      await until(() => eventIds.every((eventId) => stored().has(eventId)));
    }
    // Once more: all of it is seen through the gateway, and nothing is sent.
    const sent = sentTo(gateway, 'EVENT').length;
    expect(
      Object.values(await (await saga.start(id)).result())
        .flat()
        .sort(),
    ).toEqual([...eventIds].sort());
    expect(sentTo(gateway, 'EVENT')).toHaveLength(sent);
    await worker.stop();

    const strict = await saga.startWorker({ env: { ...relays, REPUBLISH_QUORUM: 'all' } });
    const unlucky = await saga.addOperator({ machines: 1 });
    const failing = await saga.start(unlucky.id);
    await expect(failing.result()).rejects.toMatchObject({ type: 'RepublishIncomplete', failed: 2 });
    await strict.stop();

    for (const [operatorUserId, { workflowId, runId }] of [
      [id, run],
      [unlucky.id, failing],
    ] as const) {
      const places = await placesOf(saga, { workflowId, runId, operatorUserId });
      // The relays are named, without what is secret.
      expect(places.tables).toContain(`${shownRelay(gateway.url)} (2)`);
      expect(escaped(places, [WS_ID, '/nostrclient/api'])).toEqual([]);
    }
  });
});
