import { setTimeout as sleep } from 'node:timers/promises';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { freePort } from '../../embedded/free-port';
import {
  type NostrclientGateway,
  type NostrclientGatewayOptions,
  startNostrclientGateway,
} from '../../dev/nostrclient-gateway';
import { type DevRelay, startRelay } from '../../dev/relay';
import type { SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import { RelayPool } from '../../nostr/relays/pool';
import { type Placement, RelayPublisher, type Sighting } from '../../nostr/relays/publisher';
import type { Quorum } from '../../nostr/relays/quorum';
import { shownRelay, websocketUrl } from '../../nostr/relays/url';
import { type BareRelay, type BareScript, startBareRelay } from '../support/bare-relay';
import { escaped, placesOf } from '../support/canaries';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

const WS_ID = 'canary-ws-id-1848';
const secretKey = generateSecretKey();
const ADDRESS = { kind: 30078, pubkey: getPublicKey(secretKey), d: 'fees:x' };
const nowS = Math.floor(Date.now() / 1000);

function make({ d = 'fees:x', createdAtS = nowS, content = 'c' } = {}): SignedEvent {
  const signed = finalizeEvent({ kind: 30078, created_at: createdAtS, tags: [['d', d]], content }, secretKey);
  // Without the verdict that nostr-tools keeps on the object.
  return JSON.parse(JSON.stringify(signed)) as SignedEvent;
}

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

async function dev(): Promise<DevRelay> {
  const relay = await startRelay();
  cleanUp.push(() => relay.stop());
  return relay;
}
async function bare(script: BareScript = {}, ...stored: SignedEvent[]): Promise<BareRelay> {
  const relay = await startBareRelay(script);
  relay.stored.push(...stored);
  cleanUp.push(() => relay.stop());
  return relay;
}
async function gatewayTo(
  relays: { url: string }[],
  options: Partial<NostrclientGatewayOptions> = {},
): Promise<NostrclientGateway> {
  const gateway = await startNostrclientGateway({
    relays: relays.map(({ url }) => url),
    wsId: WS_ID,
    ...options,
  });
  cleanUp.push(() => gateway.stop());
  // The relays are connected in the background, as those of LNbits are.
  await sleep(100);
  return gateway;
}
/** A gateway that answers as a script wants, for what the real one never does. */
async function scripted(script: BareScript, ...stored: SignedEvent[]): Promise<BareRelay> {
  const relay = await bare(script, ...stored);
  return { ...relay, url: `nostrclient+${relay.url}/nostrclient/api/v1/${WS_ID}` };
}

interface Options {
  quorum?: Quorum;
  replyTimeoutMs?: number;
}
function publisherOf(relays: { url: string }[], options: Options = {}): RelayPublisher {
  const pool = new RelayPool({ connectTimeoutMs: 2_000 });
  cleanUp.push(() => pool.close());
  return new RelayPublisher({
    pool,
    relays: relays.map(({ url }) => url),
    quorum: options.quorum ?? 'all',
    replyTimeoutMs: options.replyTimeoutMs ?? 4_000,
  });
}
const look = async (relay: { url: string }, options?: Options): Promise<Sighting | undefined> =>
  (await publisherOf([relay], options).look(ADDRESS)).get(relay.url);

const standingOn = (placement: Placement, { url }: { url: string }) => placement.relays[shownRelay(url)];
const sentTo = (gateway: NostrclientGateway, type: string): unknown[][] =>
  gateway.received.filter((frame) => frame[0] === type);

const notSeen = (ms: number) => ({
  state: 'unreachable',
  detail: `not seen through the gateway within ${ms} ms`,
});

describe('the stand-in', () => {
  it('gives back events, as often as relays have them, and one EOSE; never an OK', async () => {
    const event = make();
    const relays = [await bare({}, event), await bare({}, event)];
    const gateway = await gatewayTo(relays);
    const oks: string[] = [];
    const connection = await RelayConnection.open({
      url: websocketUrl(gateway.url),
      connectTimeoutMs: 1_000,
      onOk: (id) => oks.push(id),
    });
    cleanUp.push(() => connection.close());
    const got: string[] = [];
    connection.subscribe([{ kinds: [30078] }], {
      onEvent: ({ id }) => got.push(id),
      onEose: () => got.push('EOSE'),
    });
    await until(() => got.length === 3);
    await sleep(100);
    expect(got.filter((what) => what === event.id)).toHaveLength(2);
    expect(got.filter((what) => what === 'EOSE')).toHaveLength(1);
    const other = make({ d: 'fees:y' });
    expect(await connection.publish(other, 300)).toEqual({ kind: 'silent' });
    expect(oks).toEqual([]);
    for (const relay of relays) expect(relay.stored).toEqual([event, other]);
  });

  it('keeps clients apart, and hears no more of a subscription that is closed', async () => {
    const relay = await dev();
    const gateway = await gatewayTo([relay]);
    const publishers = [publisherOf([gateway]), publisherOf([gateway])];
    const placed = await Promise.all(
      publishers.map((each, index) => each.place(make({ d: `fees:${index}` }))),
    );
    expect(placed.map(({ holding }) => holding)).toEqual([1, 1]);
    await until(() => sentTo(gateway, 'CLOSE').length === sentTo(gateway, 'REQ').length);
  });
});

describe('publishing through a gateway', () => {
  it('alone is proven by reading back, with a subscription of its own each time', async () => {
    const relays = [await dev(), await dev()];
    const gateway = await gatewayTo(relays);
    const [publisher, event] = [publisherOf([gateway]), make()];
    expect(await publisher.place(event)).toEqual({
      relays: { [shownRelay(gateway.url)]: { state: 'holds' } },
      holding: 1,
      required: 1,
      stoodAlready: false,
      hopeless: false,
    });
    for (const relay of relays) expect(relay.events()).toEqual([event]);

    expect(await publisher.place(event)).toMatchObject({ holding: 1, stoodAlready: true });
    expect(sentTo(gateway, 'EVENT')).toHaveLength(1);
    const ids = sentTo(gateway, 'REQ').map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('counts for the quorum as a relay does', async () => {
    const [direct, behind] = [await dev(), await dev()];
    const relays = [direct, await gatewayTo([behind])];
    expect(await publisherOf(relays).place(make())).toMatchObject({ holding: 2, required: 2 });
    expect([direct.events(), behind.events()]).toMatchObject([[{}], [{}]]);
  });

  it('to a relay that is down is no success; it may be tried again, and the gateway delivers later', async () => {
    const port = await freePort();
    const gateway = await gatewayTo([{ url: `ws://127.0.0.1:${port}` }]);
    const [publisher, event] = [publisherOf([gateway], { replyTimeoutMs: 700 }), make()];
    const startedAt = Date.now();
    const placement = await publisher.place(event, { seen: await publisher.look(ADDRESS) });
    expect(Date.now() - startedAt).toBeLessThan(2_000);
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual(notSeen(700));

    const relay = await startBareRelay({}, port);
    cleanUp.push(() => relay.stop());
    await until(() => relay.stored.length === 1);
    expect(await publisher.place(event)).toMatchObject({ holding: 1, stoodAlready: true });
  });

  it('whose relays take it and show nothing says so, and never that it is absent', async () => {
    const gateway = await gatewayTo([
      await bare({ onEvent: (event, peer) => peer.send('OK', event.id, true, '') }),
    ]);
    const placement = await publisherOf([gateway], { replyTimeoutMs: 900 }).place(make());
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual(notSeen(900));
  });

  it('finds it behind a second relay, after the EOSE of a first one that is empty', async () => {
    const empty = await bare({ onEvent: () => undefined });
    const late = await bare({
      onEvent: (event, _, self) => void setTimeout(() => self.keep(event), 900).unref(),
    });
    const gateway = await gatewayTo([empty, late], { firstEoseFrom: empty.url });
    expect(await publisherOf([gateway]).place(make())).toMatchObject({ holding: 1 });
  });

  it('finds it behind a relay that answers long after the first EOSE, each time', async () => {
    const empty = await bare({ onEvent: () => undefined });
    const slow = await bare({
      onRequest: (id, filters, peer, self) =>
        void setTimeout(() => self.answer(id, filters, peer), 1_000).unref(),
    });
    const gateway = await gatewayTo([empty, slow], { firstEoseFrom: empty.url });
    const event = make();
    const publisher = publisherOf([gateway]);
    // Live events are not what is looked for here: the relay has it before it is asked.
    slow.stored.push(event);
    expect(await publisher.place(event)).toMatchObject({ holding: 1 });
  });

  it('asks again when no EOSE came, since the relay may have been away', async () => {
    let asked = 0;
    const relay = await bare({
      onRequest: (id, filters, peer, self) => void (++asked > 2 && self.answer(id, filters, peer)),
      // Stored in silence: a live subscription would show it otherwise.
      onEvent: (event, _, self) => void self.stored.push(event),
    });
    const gateway = await gatewayTo([relay]);
    const publisher = publisherOf([gateway]);
    const seen = new Map([[gateway.url, { kind: 'unknown', reason: '' } as const]]);
    expect(await publisher.place(make(), { seen: seen })).toMatchObject({ holding: 0 });
    expect(asked).toBeGreaterThanOrEqual(2);
    expect(await publisher.place(make(), { seen: seen })).toMatchObject({ holding: 1 });
  });
});

describe('what stands at the address', () => {
  it('and is older is replaced', async () => {
    const relay = await dev();
    const gateway = await gatewayTo([relay]);
    const publisher = publisherOf([gateway]);
    await publisher.place(make({ createdAtS: nowS - 60 }));
    const event = make();
    expect(await publisher.place(event)).toMatchObject({ holding: 1, stoodAlready: false });
    expect(relay.events()).toEqual([event]);
  });

  it('and is older, and stays the only one seen, is told', async () => {
    const gateway = await gatewayTo([
      await bare({ onEvent: () => undefined }, make({ createdAtS: nowS - 60 })),
    ]);
    const placement = await publisherOf([gateway], { replyTimeoutMs: 700 }).place(make());
    expect(standingOn(placement, gateway)).toEqual({
      state: 'unreachable',
      detail: `${notSeen(700).detail}, only an older document`,
    });
  });

  it('and is newer is found also when its relay answers after the first EOSE; nothing is sent', async () => {
    const [older, newer] = [make({ createdAtS: nowS - 60 }), make({ createdAtS: nowS + 60 })];
    const quick = await bare({}, older);
    const slower = await bare(
      {
        onRequest: (id, filters, peer, self) =>
          void setTimeout(() => self.answer(id, filters, peer), 150).unref(),
      },
      newer,
    );
    const gateway = await gatewayTo([quick, slower], { firstEoseFrom: quick.url });
    expect(await look(gateway)).toEqual({ kind: 'event', event: newer });
    const placement = await publisherOf([gateway]).place(make());
    expect(placement).toMatchObject({ holding: 0, newer: { id: newer.id }, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual({ state: 'newer', detail: newer.id });
    expect(sentTo(gateway, 'EVENT')).toEqual([]);
  });

  it('and is newer is found also when it comes between the look and the publishing', async () => {
    const newer = make({ createdAtS: nowS + 60 });
    const relay = await bare({ onEvent: (event, _, self) => void self.stored.push(newer, event) });
    const placement = await publisherOf([await gatewayTo([relay])]).place(make());
    expect(placement).toMatchObject({ holding: 0, newer: { id: newer.id } });
  });

  it('is not taken for nothing when nothing is seen', async () => {
    expect(await look(await gatewayTo([await bare()]))).toEqual({ kind: 'unseen' });
    const down = await gatewayTo([{ url: `ws://127.0.0.1:${await freePort()}` }]);
    expect(await look(down, { replyTimeoutMs: 300 })).toEqual({
      kind: 'unknown',
      reason: 'no answer to a read',
    });
  });

  it('and is forged, by however many relays, hides nothing', async () => {
    const event = make();
    const forged = { ...make({ createdAtS: nowS + 60 }), sig: 'a'.repeat(128) };
    const relays = await Promise.all(Array.from({ length: 7 }, () => bare({}, forged, event)));
    expect(await look(await gatewayTo(relays))).toEqual({ kind: 'event', event });
  });
});

describe('an OK of a gateway', () => {
  it('that is false is not believed: the document is there', async () => {
    const gateway = await scripted({
      onEvent(event, peer, self) {
        peer.send('OK', event.id, false, 'blocked: canary');
        self.keep(event);
      },
    });
    expect(await publisherOf([gateway]).place(make())).toMatchObject({ holding: 1, hopeless: false });
  });

  it('that is false is not final: the document may come yet', async () => {
    const gateway = await scripted({
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'blocked: no'),
    });
    const placement = await publisherOf([gateway], { replyTimeoutMs: 600 }).place(make());
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual(notSeen(600));
  });

  it('that is true is no proof', async () => {
    const gateway = await scripted({ onEvent: (event, peer) => peer.send('OK', event.id, true, '') });
    const placement = await publisherOf([gateway], { replyTimeoutMs: 600 }).place(make());
    expect(standingOn(placement, gateway)).toEqual(notSeen(600));
  });
});

describe('a gateway whose connection is lost', () => {
  const lost = {
    state: 'unreachable',
    detail: 'the gateway closed the connection (is it up, and is the ws_id right?)',
  };

  it('in the middle of publishing is unreachable, at once, and holds the document the next time', async () => {
    // Stored in silence, and shown late: the connection goes while the document is waited for.
    const relay = await bare({
      onEvent: (event, _, self) => void setTimeout(() => self.stored.push(event), 400).unref(),
    });
    const gateway = await gatewayTo([relay]);
    const [publisher, event] = [publisherOf([gateway], { replyTimeoutMs: 20_000 }), make()];
    const placing = publisher.place(event);
    await until(() => sentTo(gateway, 'EVENT').length === 1);
    const droppedAt = Date.now();
    gateway.dropConnections();
    const placement = await placing;
    expect(Date.now() - droppedAt).toBeLessThan(1_000);
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual(lost);

    await until(() => relay.stored.length === 1);
    expect(await publisher.place(event)).toMatchObject({ holding: 1, stoodAlready: true });
    expect(sentTo(gateway, 'EVENT')).toHaveLength(1);
  });

  it('because its ws_id is wrong is unreachable, and is told apart from the other on its host', async () => {
    const gateway = await gatewayTo([await dev()]);
    const placement = await publisherOf([gateway, { url: `${gateway.url}-wrong` }], { quorum: 1 }).place(
      make(),
    );
    expect(placement.relays).toEqual({
      [`${shownRelay(gateway.url)} (1)`]: { state: 'holds' },
      [`${shownRelay(gateway.url)} (2)`]: lost,
    });
    expect(JSON.stringify(placement)).not.toContain('canary');
  });
});

describe('the ws_id', () => {
  it('is not repeated where the gateway does', async () => {
    const gateway = await scripted({
      onRequest(id, _, peer) {
        peer.send('CLOSED', id, `error: ${WS_ID}`);
        peer.send('NOTICE', `welcome to ${WS_ID}`);
      },
      onEvent: (event, peer) => peer.send('OK', event.id, false, `blocked: ${WS_ID}`),
    });
    const notices: string[] = [];
    const pool = new RelayPool({
      connectTimeoutMs: 1_000,
      onNotice: (url, text) => notices.push(`${shownRelay(url)} ${text}`),
    });
    cleanUp.push(() => pool.close());
    const publisher = new RelayPublisher({ pool, relays: [gateway.url], quorum: 1, replyTimeoutMs: 600 });
    const placement = await publisher.place(make());
    expect(placement.holding).toBe(0);
    expect(new Set(notices)).toEqual(new Set([`${shownRelay(gateway.url)} withheld`]));
    expect(JSON.stringify([placement, notices])).not.toContain(WS_ID);
  });

  it('is in no error of a connection that cannot be made', async () => {
    const url = `nostrclient+ws://127.0.0.1:${await freePort()}/nostrclient/api/v1/${WS_ID}`;
    const publisher = publisherOf([{ url }]);
    const seen = [...(await publisher.look(ADDRESS)).values()];
    const placement = await publisher.place(make());
    expect(standingOn(placement, { url })).toMatchObject({
      state: 'unreachable',
      detail: expect.stringContaining('ECONNREFUSED') as string,
    });
    expect(JSON.stringify([seen, placement])).not.toContain(WS_ID);
  });
});

describe('a run through a gateway', () => {
  let saga: Saga;
  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
  });
  afterAll(() => saga.stop());

  it('publishes, fails, and leaves no ws_id behind', async () => {
    const gateway = await gatewayTo(saga.relays);
    const relays = { REPUBLISH_RELAYS: [gateway.url, `${gateway.url}-wrong`].join() };
    const worker = await saga.startWorker({ env: { ...relays, REPUBLISH_QUORUM: '1' } });
    const { id, machines } = await saga.addOperator({ machines: 2 });
    const run = await saga.start(id);
    const eventIds = Object.values(await run.result()).flat();
    expect(eventIds).toHaveLength(2 * machines.length);
    for (const relay of saga.relays) {
      const stored = relay.events().map((event) => event.id);
      expect(stored).toEqual(expect.arrayContaining(eventIds));
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
