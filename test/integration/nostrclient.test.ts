import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { freePort } from '../../embedded/free-port';
import {
  type NostrclientGateway,
  type NostrclientGatewayOptions,
  startNostrclientGateway,
} from '../../dev/nostrclient-gateway';
import { type DevRelay, startRelay } from '../../dev/relay';
import { addressOf, type SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import { RelayPool } from '../../nostr/relays/pool';
import type { Sighting } from '../../nostr/relays/document-relay';
import { RelayPublisher } from '../../nostr/relays/publisher';
import type { Placement } from '../../nostr/relays/seen';
import type { Quorum } from '../../rules/quorum';
import { shownRelay, websocketUrl } from '../../nostr/relays/url';
import { type BareRelay, type BareScript, startBareRelay } from '../support/bare-relay';
import { startFaultProxy, type FaultProxy } from '../support/fault-proxy';
import { place } from '../support/place';
import { startTcpServer } from '../support/tcp-server';
import { until } from '../support/until';

const WS_ID = 'canary-ws-id-1848';
/**
 * A lost relay is looked at every 400 ms, and connected again 1.2 s after its first error, 2.4 s after its
 * second.
 */
const TIME_SCALE = 0.02;
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
    timeScale: TIME_SCALE,
    ...options,
  });
  cleanUp.push(() => gateway.stop());
  // The relays are connected in the background, as those of LNbits are.
  await until(() => gateway.relays().every(({ connected, errorCount }) => connected || errorCount > 0));
  return gateway;
}
/** A way to a relay that can be closed. */
async function proxyTo(relay: { url: string }): Promise<FaultProxy> {
  const proxy = await startFaultProxy(relay.url);
  cleanUp.push(() => proxy.stop());
  return proxy;
}
/** A gateway that answers as a script wants, for what the real one never does. */
async function scripted(script: BareScript, ...stored: SignedEvent[]): Promise<BareRelay> {
  const relay = await bare(script, ...stored);
  return { ...relay, url: `nostrclient+${relay.url}/nostrclient/api/v1/${WS_ID}` };
}

interface Options {
  quorum?: Quorum;
  /** Where a test waits until it is over. Default: longer than any machine needs for an answer. */
  replyTimeoutMs?: number;
  connectTimeoutMs?: number;
}
function publisherOf(relays: { url: string }[], options: Options = {}): RelayPublisher {
  const pool = new RelayPool({ connectTimeoutMs: options.connectTimeoutMs ?? 15_000 });
  cleanUp.push(() => pool.close());
  return new RelayPublisher({
    pool,
    relays: relays.map(({ url }) => url),
    quorum: options.quorum ?? 'all',
    replyTimeoutMs: options.replyTimeoutMs ?? 20_000,
  });
}
const look = async (relay: { url: string }, options?: Options): Promise<Sighting | undefined> =>
  (await publisherOf([relay], options).look([ADDRESS]))[0]?.get(relay.url);

const standingOn = (placement: Placement, { url }: { url: string }) => placement.relays[shownRelay(url)];
const sentTo = (gateway: NostrclientGateway, type: string): unknown[][] =>
  gateway.received.filter((frame) => frame[0] === type);
/** The ids of the events that a gateway was given. */
const givenTo = (gateway: NostrclientGateway): string[] =>
  sentTo(gateway, 'EVENT').map(([, event]) => (event as SignedEvent).id);

const notSeen = (ms: number) => ({
  state: 'unreachable',
  detail: `not seen through the gateway within ${ms} ms`,
});
const silent = {
  state: 'unreachable',
  detail: expect.stringMatching(
    /^no relay behind the gateway answers.*60 s × its errors.*open Nostr Client, and delete and add the relay/,
  ) as string,
};

/** A connection to the gateway itself, and what comes over it for one subscription: event ids, and EOSE. */
async function listen(
  gateway: NostrclientGateway,
  onOk: (id: string) => void = () => undefined,
): Promise<{ connection: RelayConnection; got: string[] }> {
  const url = websocketUrl(gateway.url);
  const connection = await RelayConnection.open({ url, connectTimeoutMs: 15_000, onOk });
  cleanUp.push(() => connection.close());
  const got: string[] = [];
  connection.subscribe([{ kinds: [30078] }], {
    onEvent: ({ id }) => got.push(id),
    onEose: () => got.push('EOSE'),
  });
  return { connection, got };
}

const slowly =
  (ms: number): NonNullable<BareScript['onRequest']> =>
  (id, filters, peer, self) =>
    void setTimeout(() => self.answer(id, filters, peer), ms).unref();

/**
 * Scripts of relays behind one gateway, each of which answers a moment after the one before has: long enough
 * for the gateway to give back their EOSE one by one, and much shorter than an EOSE is waited for.
 */
function inTheirTurn(relays: number): BareScript[] {
  /** How many relays have answered, by subscription: the gateway asks all of them with one id. */
  const answered = new Map<string, number>();
  return Array.from({ length: relays }, (_, turn) => ({
    onRequest: (id, filters, peer, self) =>
      void until(() => (answered.get(id) ?? 0) === turn).then(async () => {
        self.answer(id, filters, peer);
        await sleep(100, undefined, { ref: false });
        answered.set(id, turn + 1);
      }),
  }));
}

describe('the stand-in', () => {
  it("gives back an event once and each relay's EOSE; never an OK", async () => {
    const event = make();
    let ask: () => void = () => undefined;
    const later = new Promise<void>((resolve) => (ask = resolve));
    const relays = [
      await bare({}, event),
      // Not before the EOSE of the first one is back: those between two looks of the gateway become one.
      await bare(
        { onRequest: (id, filters, peer, self) => void later.then(() => self.answer(id, filters, peer)) },
        event,
      ),
    ];
    const gateway = await gatewayTo(relays);
    const oks: string[] = [];
    const { connection, got } = await listen(gateway, (id) => oks.push(id));
    await until(() => got.length === 2);
    ask();
    await until(() => got.length === 3);
    await sleep(100);
    expect(got).toEqual([event.id, 'EOSE', 'EOSE']);
    const other = make({ d: 'fees:y' });
    expect(await connection.publish(other, 300)).toEqual({ kind: 'silent' });
    await until(() => relays.every(({ stored }) => stored.length === 2));
    expect(oks).toEqual([]);
    for (const relay of relays) expect(relay.stored).toEqual([event, other]);
  });

  it("gives an answer back with LNbits' own times as well", async () => {
    const gateway = await gatewayTo([await bare()], { timeScale: 1 });
    const { got } = await listen(gateway);
    await until(() => got.length === 1);
    expect(got).toEqual(['EOSE']);
    await gateway.stop();
  });

  it('connects a lost relay again after its errors, asks it anew, and has lost what was published meanwhile', async () => {
    const relay = await bare();
    const gateway = await gatewayTo([relay]);
    const { connection, got } = await listen(gateway);
    await until(() => got.length === 1);
    const lostAfterMs: number[] = [];
    for (const errors of [1, 2]) {
      const lostAtMs = Date.now();
      relay.dropConnections();
      await until(() => gateway.relays()[0]?.connected === false);
      expect(gateway.relays()).toEqual([{ url: relay.url, connected: false, errorCount: errors }]);
      connection.send(make({ d: `fees:${errors}` }));
      await until(() => gateway.relays()[0]?.connected === true);
      lostAfterMs.push(Date.now() - lostAtMs);
      // It is asked anew, and its EOSE given back once more.
      await until(() => got.length === 1 + errors);
    }
    // Longer with each error: its pause is scaled here, and no machine makes it shorter.
    expect(lostAfterMs[0]).toBeGreaterThan(1_100);
    expect(lostAfterMs[1]).toBeGreaterThan(2_300);
    expect(got).toEqual(['EOSE', 'EOSE', 'EOSE']);
    await sleep(100);
    expect(relay.countOf('EVENT')).toBe(0);
    // What waits while a connection is being opened is not lost.
    connection.send(make());
    await until(() => relay.countOf('EVENT') === 1);
  });

  it('lets in by its settings, and refuses with HTTP 403', async () => {
    const gateway = await gatewayTo([]);
    const handshake = async (url: string): Promise<string> =>
      RelayConnection.open({ url: websocketUrl(url), connectTimeoutMs: 15_000 }).then(
        (connection) => (connection.close(), 'open'),
        (error: Error) => error.message,
      );
    const refused = 'the relay answers HTTP 403 in place of a websocket';
    expect(await handshake(gateway.url)).toBe('open');
    expect(await handshake(gateway.publicUrl)).toBe(refused);
    expect(await handshake(`${gateway.url}-wrong`)).toBe(refused);
    Object.assign(gateway.settings, { private_ws: false, public_ws: true });
    expect(await handshake(gateway.url)).toBe(refused);
    expect(await handshake(gateway.publicUrl)).toBe('open');
  });

  it('keeps clients apart, and hears no more of a subscription that is closed', async () => {
    const relay = await dev();
    const gateway = await gatewayTo([relay]);
    const publishers = [publisherOf([gateway]), publisherOf([gateway])];
    const placed = await Promise.all(
      publishers.map((each, index) => place(each, make({ d: `fees:${index}` }))),
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
    expect(await place(publisher, event)).toEqual({
      relays: { [shownRelay(gateway.url)]: { state: 'holds' } },
      holding: 1,
      required: 1,
      stoodAlready: false,
      hopeless: false,
    });
    // One of them has shown it.
    await until(() => relays.every((relay) => relay.events().length > 0));
    for (const relay of relays) expect(relay.events()).toEqual([event]);

    const given = givenTo(gateway);
    expect(await place(publisher, event)).toMatchObject({ holding: 1, stoodAlready: true });
    expect(givenTo(gateway)).toEqual(given);
    const ids = sentTo(gateway, 'REQ').map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('takes a page of a hundred documents in ten REQs each time', async () => {
    const relay = await bare();
    const gateway = await gatewayTo([relay]);
    const publisher = publisherOf([gateway]);
    const page = Array.from({ length: 100 }, (_, index) => make({ d: `fees:${index}` }));
    const looked = await publisher.look(page.map(addressOf));
    expect(looked.map((seen) => seen.get(gateway.url))).toEqual(page.map(() => ({ kind: 'unseen' })));
    expect(sentTo(gateway, 'REQ')).toHaveLength(10);
    const whole = (): unknown[][] => sentTo(gateway, 'REQ').filter(({ length }) => length === 12);
    const sent = await Promise.all(page.map(async (event) => ({ event, sent: await publisher.send(event) })));
    const placements = await publisher.confirm(sent);
    expect(placements.map(({ holding }) => holding)).toEqual(page.map(() => 1));
    // What is not seen in two seconds is asked for and sent once more.
    const asked = new Set(whole().map(([, , ...filters]) => JSON.stringify(filters)));
    expect([asked.size, whole().length >= 20]).toEqual([10, true]);
    expect(new Set(givenTo(gateway)).size).toBe(100);
  });

  it('sends again what was lost of a page, and nothing that is seen', async () => {
    const relay = await bare();
    const gateway = await gatewayTo([relay]);
    const publisher = publisherOf([gateway]);
    const [first, second] = [make({ d: 'fees:1' }), make({ d: 'fees:2' })];
    let losses = 1;
    relay.script.onEvent = (event, _, self) => {
      if (event.id !== second.id || losses-- <= 0) self.keep(event);
    };
    const sent = await Promise.all(
      [first, second].map(async (event) => ({ event, sent: await publisher.send(event) })),
    );
    // The first is there before it is looked for.
    await until(() => relay.stored.length === 1 && losses === 0);
    const placements = await publisher.confirm(sent);
    expect(placements.map(({ holding }) => holding)).toEqual([1, 1]);
    expect(givenTo(gateway).slice(0, 3)).toEqual([first.id, second.id, second.id]);
    expect(givenTo(gateway).slice(3)).not.toContain(first.id);
  });

  it('with a relay behind it that passes over several filters finds its documents with one', async () => {
    const page = Array.from({ length: 10 }, (_, index) => make({ d: `fees:${index}` }));
    const relay = await bare(
      {
        onRequest: (id, filters, peer, self) => void (filters.length === 1 && self.answer(id, filters, peer)),
      },
      ...page,
    );
    const gateway = await gatewayTo([relay]);
    const looked = await publisherOf([gateway], { replyTimeoutMs: 6_000 }).look(page.map(addressOf));
    expect(looked.map((seen) => seen.get(gateway.url))).toEqual(
      page.map((event) => ({ kind: 'event', event })),
    );
  });

  it('counts for the quorum as a relay does', async () => {
    const [direct, behind] = [await dev(), await dev()];
    const relays = [direct, await gatewayTo([behind])];
    expect(await place(publisherOf(relays), make())).toMatchObject({ holding: 2, required: 2 });
    expect([direct.events(), behind.events()]).toMatchObject([[{}], [{}]]);
  });

  it('that has lost its relay is no success, says what LNbits waits for, and holds the document when it is back', async () => {
    const relay = await bare();
    const way = await proxyTo(relay);
    const gateway = await gatewayTo([way]);
    await way.down();
    await until(() => gateway.relays()[0]?.connected === false);
    const [publisher, event] = [publisherOf([gateway], { replyTimeoutMs: 500 }), make()];
    const placement = await place(publisher, event);
    expect(placement).toMatchObject({ holding: 0, hopeless: false, waitsForReturn: true });
    expect(standingOn(placement, gateway)).toEqual(silent);
    await until(() => givenTo(gateway).length > 0);

    await way.up();
    await until(() => gateway.relays()[0]?.connected === true);
    await sleep(100);
    // The gateway has lost the event: only the next attempt, the same bytes, brings it there.
    expect(relay.countOf('EVENT')).toBe(0);
    expect(await place(publisherOf([gateway]), event)).toMatchObject({ holding: 1, stoodAlready: false });
  });

  it('that has lost its relay is waited for within the time of one question: the event is sent again', async () => {
    const relay = await bare();
    const way = await proxyTo(relay);
    const gateway = await gatewayTo([way]);
    await way.down();
    await until(() => gateway.relays()[0]?.connected === false);
    const seen = new Map([[gateway.url, { kind: 'unseen' } as const]]);
    const event = make();
    const placing = place(publisherOf([gateway], { replyTimeoutMs: 40_000 }), event, { seen });
    await until(() => givenTo(gateway).length > 0);
    await way.up();
    expect(await placing).toMatchObject({ holding: 1, stoodAlready: false });
    // The first was lost.
    expect(relay.countOf('EVENT')).toBeLessThan(givenTo(gateway).length);
    expect(new Set(givenTo(gateway))).toEqual(new Set([event.id]));
  });

  it('is waited for as long as what is missing for the quorum is behind it, and not where another relay is missing', async () => {
    const down = { url: `ws://127.0.0.1:${await freePort()}` };
    const relays = [await dev(), await gatewayTo([down]), down];
    // As long as a gateway is waited for that sees no relay.
    const options = { replyTimeoutMs: 2_500 };
    const two = await place(publisherOf(relays, { ...options, quorum: 2 }), make());
    expect(two).toMatchObject({ holding: 1, waitsForReturn: true });
    const all = await place(publisherOf(relays, { ...options, quorum: 3 }), make());
    expect(all.holding).toBe(1);
    expect(all).not.toHaveProperty('waitsForReturn');
    const one = await place(publisherOf(relays, { ...options, quorum: 1 }), make());
    expect(one.holding).toBe(1);
    expect(one).not.toHaveProperty('waitsForReturn');
  });

  it('whose relays take it and show nothing says so, and never that it is absent', async () => {
    const gateway = await gatewayTo([
      await bare({ onEvent: (event, peer) => peer.send('OK', event.id, true, '') }),
    ]);
    const placement = await place(publisherOf([gateway], { replyTimeoutMs: 4_000 }), make());
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(placement).not.toHaveProperty('waitsForReturn');
    expect(standingOn(placement, gateway)).toEqual(notSeen(4_000));
  });

  it('finds it behind a second relay, after the EOSE of a first one that is empty', async () => {
    const empty = await bare({ onEvent: () => undefined });
    const late = await bare({
      onEvent: (event, _, self) => void setTimeout(() => self.keep(event), 900).unref(),
    });
    const gateway = await gatewayTo([empty, late]);
    expect(await place(publisherOf([gateway]), make())).toMatchObject({ holding: 1 });
  });

  it('finds it behind a relay that answers long after the first EOSE, each time', async () => {
    const empty = await bare({ onEvent: () => undefined });
    const slow = await bare({ onRequest: slowly(1_000) });
    const gateway = await gatewayTo([empty, slow]);
    const event = make();
    const publisher = publisherOf([gateway]);
    // Live events are not what is looked for here: the relay has it before it is asked.
    slow.stored.push(event);
    expect(await place(publisher, event)).toMatchObject({ holding: 1 });
  });

  it('asks again when no EOSE came, since the relay may have been away', async () => {
    let asked = 0;
    const relay = await bare({
      onRequest: (id, filters, peer, self) => void (++asked > 1 && self.answer(id, filters, peer)),
      // Stored in silence: a live subscription would show it otherwise.
      onEvent: (event, _, self) => void self.stored.push(event),
    });
    const gateway = await gatewayTo([relay]);
    const seen = new Map([[gateway.url, { kind: 'unknown', reason: '' } as const]]);
    const publisher = publisherOf([gateway], { replyTimeoutMs: 20_000 });
    expect(await place(publisher, make(), { seen })).toMatchObject({ holding: 1 });
    expect(asked).toBeGreaterThan(1);
  });
});

describe('what stands at the address', () => {
  it('and is older is replaced', async () => {
    const relay = await dev();
    const gateway = await gatewayTo([relay]);
    const publisher = publisherOf([gateway]);
    await place(publisher, make({ createdAtS: nowS - 60 }));
    const event = make();
    expect(await place(publisher, event)).toMatchObject({ holding: 1, stoodAlready: false });
    expect(relay.events()).toEqual([event]);
  });

  it('and is older, and stays the only one seen, is told', async () => {
    const gateway = await gatewayTo([
      await bare({ onEvent: () => undefined }, make({ createdAtS: nowS - 60 })),
    ]);
    const placement = await place(publisherOf([gateway], { replyTimeoutMs: 4_000 }), make());
    expect(standingOn(placement, gateway)).toEqual({
      state: 'unreachable',
      detail: `${notSeen(4_000).detail}, only an older document`,
    });
  });

  it('and is newer is found also when its relay answers after the first EOSE; nothing is sent', async () => {
    const [older, newer] = [make({ createdAtS: nowS - 60 }), make({ createdAtS: nowS + 60 })];
    const [first, second] = inTheirTurn(2);
    const quick = await bare(first, older);
    const slower = await bare(second, newer);
    const gateway = await gatewayTo([quick, slower]);
    expect(await look(gateway)).toEqual({ kind: 'event', event: newer });
    const placement = await place(publisherOf([gateway]), make());
    expect(placement).toMatchObject({ holding: 0, newer: { id: newer.id }, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual({ state: 'newer', detail: newer.id });
    expect(sentTo(gateway, 'EVENT')).toEqual([]);
  });

  it('is found behind the last of many relays, each of which says EOSE in its turn', async () => {
    const newer = make({ createdAtS: nowS + 60 });
    // Together they take longer than one EOSE is waited for.
    const relays = await Promise.all(inTheirTurn(6).map((script) => bare(script)));
    relays.at(-1)?.stored.push(newer);
    const gateway = await gatewayTo(relays);
    const publisher = publisherOf([gateway]);
    expect((await publisher.look([ADDRESS]))[0]?.get(gateway.url)).toEqual({ kind: 'event', event: newer });
    // What comes late for one question is not taken for the answer to the next.
    const other = { ...ADDRESS, d: 'fees:other' };
    expect((await publisher.look([other]))[0]?.get(gateway.url)).toEqual({ kind: 'unseen' });
  });

  it('and is newer is found also when it comes between the look and the publishing', async () => {
    const newer = make({ createdAtS: nowS + 60 });
    const relay = await bare({ onEvent: (event, _, self) => void self.stored.push(newer, event) });
    const placement = await place(publisherOf([await gatewayTo([relay])]), make());
    expect(placement).toMatchObject({ holding: 0, newer: { id: newer.id } });
  });

  it('is not taken for nothing when nothing is seen', async () => {
    expect(await look(await gatewayTo([await bare()]))).toEqual({ kind: 'unseen' });
    const down = await gatewayTo([{ url: `ws://127.0.0.1:${await freePort()}` }]);
    expect(await look(down, { replyTimeoutMs: 300 })).toEqual({
      kind: 'unknown',
      reason: silent.detail,
      isSilent: true,
      returnsLater: true,
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
    expect(await place(publisherOf([gateway]), make())).toMatchObject({ holding: 1, hopeless: false });
  });

  it('that is false is not final: the document may come yet', async () => {
    const gateway = await scripted({
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'blocked: no'),
    });
    const placement = await place(publisherOf([gateway], { replyTimeoutMs: 4_000 }), make());
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual(notSeen(4_000));
  });

  it('that is true is no proof', async () => {
    const gateway = await scripted({ onEvent: (event, peer) => peer.send('OK', event.id, true, '') });
    const placement = await place(publisherOf([gateway], { replyTimeoutMs: 4_000 }), make());
    expect(standingOn(placement, gateway)).toEqual(notSeen(4_000));
  });
});

describe('a gateway whose connection is lost', () => {
  const lost = {
    state: 'unreachable',
    detail: 'the gateway closed the connection (is LNbits up, and Nostr Client switched on?)',
  };

  it('in the middle of publishing is unreachable, at once, and holds the document the next time', async () => {
    // Stored in silence, and shown late: the connection goes while the document is waited for.
    const taken: SignedEvent[] = [];
    const relay = await bare({ onEvent: (event) => void taken.push(event) });
    const gateway = await gatewayTo([relay]);
    const replyTimeoutMs = 40_000;
    const [publisher, event] = [publisherOf([gateway], { replyTimeoutMs }), make()];
    const placing = place(publisher, event);
    await until(() => taken.length > 0);
    const droppedAt = Date.now();
    gateway.dropConnections();
    const placement = await placing;
    expect(Date.now() - droppedAt).toBeLessThan(replyTimeoutMs / 2);
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, gateway)).toEqual(lost);

    relay.stored.push(event);
    const given = givenTo(gateway);
    expect(await place(publisher, event)).toMatchObject({ holding: 1, stoodAlready: true });
    expect(givenTo(gateway)).toEqual(given);
  });
});

describe('a gateway that refuses its ws_id', () => {
  const refused = {
    state: 'unreachable',
    detail:
      'the gateway refuses its ws_id (HTTP 403): it is wrong, or switched off in Nostr Client (private_ws; public_ws for the ws_id "relay")',
  };

  it('is unreachable, says which settings to look at, and is told apart from the other on its host', async () => {
    const gateway = await gatewayTo([await dev()]);
    const wrong = { url: `${gateway.url}-wrong` };
    const publisher = publisherOf([gateway, wrong], { quorum: 1 });
    const expected = {
      [`${shownRelay(gateway.url)} (1)`]: { state: 'holds' },
      [`${shownRelay(gateway.url)} (2)`]: refused,
    };
    // The second time in the pause after the first, and with the same words.
    for (const d of ['fees:x', 'fees:y']) {
      const placement = await place(publisher, make({ d }));
      expect(placement.relays).toEqual(expected);
      expect(JSON.stringify(placement)).not.toContain('canary');
    }
  });

  it('in the middle of a run does so as well, and the documents stand when it is switched on again', async () => {
    const gateway = await gatewayTo([await dev()]);
    const [publisher, event] = [publisherOf([gateway]), make()];
    gateway.settings.private_ws = false;
    expect(standingOn(await place(publisher, event), gateway)).toEqual(refused);
    gateway.settings.private_ws = true;
    // After a refusal it is left alone for a while, the longer the more often it has refused.
    await until(async () => (await place(publisher, event)).holding === 1);
  });

  it('because Nostr Client is switched off in LNbits is told apart', async () => {
    const server = createServer((_, response) => response.writeHead(404).end());
    server.on('upgrade', (_, socket) => socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const gateway = { url: `nostrclient+ws://127.0.0.1:${port}/nostrclient/api/v1/${WS_ID}` };
    expect(await look(gateway)).toEqual({
      kind: 'unknown',
      reason: expect.stringMatching(/HTTP 404.*Nostr Client is switched off in LNbits/) as string,
    });
  });
});

describe('two hundred questions', () => {
  const TIMEOUT_MS = 2_000;

  async function askAll(publisher: RelayPublisher): Promise<{ tookMs: number; sightings: Sighting[] }> {
    const startedAtMs = Date.now();
    const seen = await publisher.look(
      Array.from({ length: 200 }, (_, index) => ({ ...ADDRESS, d: `fees:${index}` })),
    );
    return { tookMs: Date.now() - startedAtMs, sightings: seen.flatMap((each) => [...each.values()]) };
  }

  it('to a gateway that sees no relay end after the time of one', async () => {
    const gateway = await gatewayTo([{ url: `ws://127.0.0.1:${await freePort()}` }]);
    const { tookMs, sightings } = await askAll(publisherOf([gateway], { replyTimeoutMs: TIMEOUT_MS }));
    expect(new Set(sightings.map(({ kind }) => kind))).toEqual(new Set(['unknown']));
    // Four at a time are asked. All twenty would take five times as long.
    expect(tookMs).toBeLessThan(4 * TIMEOUT_MS);
    expect(sentTo(gateway, 'REQ')).toHaveLength(8);
  });

  it('to a relay that takes connections and says nothing do so as well, and the other is asked for each', async () => {
    const mute = await bare({ onRequest: () => undefined });
    const well = await bare({}, make({ d: 'fees:199' }));
    const publisher = publisherOf([mute, well], { replyTimeoutMs: TIMEOUT_MS });
    const { tookMs, sightings } = await askAll(publisher);
    expect(tookMs).toBeLessThan(4 * TIMEOUT_MS);
    expect(well.countOf('REQ')).toBe(20);
    expect(sightings.filter(({ kind }) => kind === 'event')).toHaveLength(1);
    expect(sightings.filter(({ kind }) => kind === 'unknown')).toHaveLength(200);

    // It is asked again after a pause, and believed when it answers.
    delete mute.script.onRequest;
    await sleep(TIMEOUT_MS + 100);
    expect((await publisher.look([ADDRESS]))[0]?.get(mute.url)).toEqual({ kind: 'nothing' });
    expect((await publisher.look([ADDRESS]))[0]?.get(mute.url)).toEqual({ kind: 'nothing' });
  });

  it('to a host that takes connections and never says a word wait for it once', async () => {
    const blackHole = await startTcpServer();
    cleanUp.push(() => blackHole.stop());
    const relays = [{ url: `ws://127.0.0.1:${blackHole.port}` }, await bare({ onRequest: slowly(60) })];
    const replyTimeoutMs = 40_000;
    const { tookMs, sightings } = await askAll(
      publisherOf(relays, { replyTimeoutMs, connectTimeoutMs: 2_000 }),
    );
    expect(sightings.filter(({ kind }) => kind === 'nothing')).toHaveLength(200);
    expect(blackHole.accepted).toBe(1);
    // Two seconds for a connection, one and a half for the other relay's answers.
    expect(tookMs).toBeLessThan(replyTimeoutMs / 2);
  });

  it('to a relay that passes over one of them are all asked: it is not silent', async () => {
    const relay = await bare({
      onRequest(id, filters, peer, self) {
        // Others are still to be asked when the time of this one is over.
        if (!JSON.stringify(filters).includes('"fees:3"')) slowly(50)(id, filters, peer, self);
      },
    });
    const { sightings } = await askAll(publisherOf([relay], { replyTimeoutMs: TIMEOUT_MS }));
    expect(sightings.filter(({ kind }) => kind === 'nothing')).toHaveLength(199);
  });

  it('where most relays answer do not wait a moment more for the silent one each time', async () => {
    const mute = await bare({ onRequest: () => undefined });
    const relays = [await bare({ onRequest: slowly(30) }), mute, await bare({ onRequest: slowly(30) })];
    // It is asked each time: it does not count as silent before its time is over.
    const publisher = publisherOf(relays, { quorum: 'majority', replyTimeoutMs: 40_000 });
    const tookMs: number[] = [];
    for (let index = 0; index < 12; index += 1) {
      const startedAtMs = performance.now();
      await publisher.look([{ ...ADDRESS, d: `fees:${index}` }]);
      tookMs.push(performance.now() - startedAtMs);
    }
    // After a quorum the others are waited for, a second each time; one that was slow lately a quarter of it.
    // Single looks may take longer on a slow machine.
    expect(tookMs.sort((a, b) => a - b)[3]).toBeLessThan(1_000);
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
      connectTimeoutMs: 15_000,
      onNotice: (url, text) => notices.push(`${shownRelay(url)} ${text}`),
    });
    cleanUp.push(() => pool.close());
    const publisher = new RelayPublisher({ pool, relays: [gateway.url], quorum: 1, replyTimeoutMs: 3_000 });
    const placement = await place(publisher, make());
    expect(placement.holding).toBe(0);
    expect(new Set(notices)).toEqual(new Set([`${shownRelay(gateway.url)} withheld`]));
    expect(JSON.stringify([placement, notices])).not.toContain(WS_ID);
  });

  it('is in no error of a connection that cannot be made', async () => {
    const url = `nostrclient+ws://127.0.0.1:${await freePort()}/nostrclient/api/v1/${WS_ID}`;
    const publisher = publisherOf([{ url }]);
    const seen = [...((await publisher.look([ADDRESS]))[0]?.values() ?? [])];
    const placement = await place(publisher, make());
    expect(standingOn(placement, { url })).toMatchObject({
      state: 'unreachable',
      detail: expect.stringContaining('ECONNREFUSED') as string,
    });
    expect(JSON.stringify([seen, placement])).not.toContain(WS_ID);
  });
});
