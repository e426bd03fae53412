import { setTimeout as sleep } from 'node:timers/promises';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { freePort } from '../../embedded/free-port';
import { type DevRelay, startRelay } from '../../dev/relay';
import { isNewer, type SignedEvent } from '../../nostr/events';
import { RelayPool } from '../../nostr/relays/pool';
import { RelayPublisher } from '../../nostr/relays/publisher';
import type { Placement, Seen } from '../../nostr/relays/seen';
import type { Quorum } from '../../rules/quorum';
import { type BareRelay, type BareScript, startBareRelay } from '../support/bare-relay';
import { place } from '../support/place';
import { startTcpServer } from '../support/tcp-server';
import { until } from '../support/until';

const secretKey = generateSecretKey();
const author = getPublicKey(secretKey);
const ADDRESS = { kind: 30078, pubkey: author, d: 'fees:x' };
const nowS = Math.floor(Date.now() / 1000);

function make(
  fields: { d?: string; createdAtS?: number; content?: string; key?: Uint8Array; kind?: number } = {},
): SignedEvent {
  const { d = 'fees:x', createdAtS = nowS, content = 'c', key = secretKey, kind = 30078 } = fields;
  const signed = finalizeEvent({ kind, created_at: createdAtS, tags: [['d', d]], content }, key);
  // Without the verdict that nostr-tools keeps on the object.
  return JSON.parse(JSON.stringify(signed)) as SignedEvent;
}

/** Two events of one second, the one that wins (lowest id, NIP-01) first. */
function rivals(): [SignedEvent, SignedEvent] {
  const [one, other] = [make({ content: 'one' }), make({ content: 'other' })];
  return isNewer(one, other) ? [one, other] : [other, one];
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

/** A host that takes connections and never says a word: worse than one that is down. */
async function blackHole(): Promise<{ url: string; calls: () => number }> {
  const server = await startTcpServer();
  cleanUp.push(() => server.stop());
  return { url: `ws://127.0.0.1:${server.port}`, calls: () => server.accepted };
}

/** Long enough for a busy machine. Where a relay says nothing, the test says how long it is waited for. */
const PATIENCE_MS = 20_000;

interface Options {
  quorum?: Quorum;
  replyTimeoutMs?: number;
  connectTimeoutMs?: number;
}

function publisherOf(relays: { url: string }[], options: Options = {}): RelayPublisher {
  const pool = new RelayPool({ connectTimeoutMs: options.connectTimeoutMs ?? PATIENCE_MS });
  cleanUp.push(() => pool.close());
  return new RelayPublisher({
    pool,
    relays: relays.map(({ url }) => url),
    quorum: options.quorum ?? 'majority',
    replyTimeoutMs: options.replyTimeoutMs ?? PATIENCE_MS,
  });
}

async function look(publisher: RelayPublisher): Promise<Seen> {
  const [seen] = await publisher.look([ADDRESS]);
  if (seen === undefined) throw new Error('nothing was answered');
  return seen;
}

/** Where the event stands on the one relay there is. */
async function placeOn(relay: { url: string }, event = make(), options: Options = {}): Promise<Placement> {
  return place(publisherOf([relay], options), event);
}
const standingOn = (placement: Placement, { url }: { url: string }) => placement.relays[url];

/** A time limit of which a test sees that it is not waited for. */
const LONG_MS = 40_000;

async function timed<T>(promise: Promise<T>): Promise<[T, number]> {
  const startedAt = Date.now();
  return [await promise, Date.now() - startedAt];
}

describe('placing a document', () => {
  it('brings it to all relays', async () => {
    const relays = [await dev(), await dev(), await dev()];
    const event = make();
    expect(await place(publisherOf(relays), event)).toEqual({
      relays: Object.fromEntries(relays.map(({ url }) => [url, { state: 'holds' }])),
      holding: 3,
      required: 2,
      stoodAlready: false,
      hopeless: false,
    });
    for (const relay of relays) expect(relay.events()).toEqual([event]);
  });

  it('again sends nothing and says that it stood there', async () => {
    const relays = [await bare(), await bare()];
    const publisher = publisherOf(relays);
    const event = make();
    expect((await place(publisher, event)).stoodAlready).toBe(false);
    expect(await place(publisher, event)).toMatchObject({ holding: 2, stoodAlready: true });
    for (const relay of relays) expect(relay.countOf('EVENT')).toBe(1);
  });

  it('sends it only where it is missing, and then it did not stand there already', async () => {
    const event = make();
    const [has, hasNot] = [await bare({}, event), await bare()];
    expect(await place(publisherOf([has, hasNot]), event)).toMatchObject({ holding: 2, stoodAlready: false });
    expect([has.countOf('EVENT'), hasNot.countOf('EVENT')]).toEqual([0, 1]);
  });

  it('does not ask again for what was seen a moment ago, but for what was not', async () => {
    const [event, relay] = [make(), await bare()];
    const publisher = publisherOf([relay]);
    const seen = await look(publisher);
    expect(await place(publisher, event, { seen: seen })).toMatchObject({ holding: 1 });
    // The look, and the reading back.
    expect(relay.countOf('REQ')).toBe(2);
    const other = make({ d: 'fees:y' });
    expect(
      await place(publisher, other, { seen: new Map([[relay.url, { kind: 'unknown', reason: '' }]]) }),
    ).toMatchObject({
      holding: 1,
    });
    expect(relay.countOf('EVENT')).toBe(2);
  });

  it('replaces an older document of the same author', async () => {
    const relay = await dev();
    const [older, newer] = [make({ createdAtS: nowS - 60 }), make()];
    const publisher = publisherOf([relay]);
    await place(publisher, older);
    expect(await place(publisher, newer)).toMatchObject({ holding: 1 });
    expect(relay.events().map(({ id }) => id)).toEqual([newer.id]);
  });
});

describe('a relay that cannot be reached', () => {
  it('is waited for a moment by the first document, and by the next hardly', async () => {
    const hole = await blackHole();
    const relays = [await dev(), hole, await dev()];
    const publisher = publisherOf(relays, { connectTimeoutMs: LONG_MS });
    const [first, firstMs] = await timed(place(publisher, make()));
    expect(first).toMatchObject({ holding: 2, required: 2, hopeless: false });
    expect(standingOn(first, hole)).toEqual({ state: 'unreachable', detail: 'no answer yet' });
    expect(firstMs).toBeGreaterThan(1_000);
    expect(firstMs).toBeLessThan(LONG_MS / 2);

    // How much shorter the wait is the second time: test/unit/round.test.ts.
    const [second, secondMs] = await timed(place(publisher, make({ d: 'fees:y' })));
    expect(second).toMatchObject({ holding: 2 });
    expect(standingOn(second, hole)?.state).toBe('unreachable');
    expect(secondMs).toBeLessThan(LONG_MS / 2);
    expect(hole.calls()).toBe(1);
  });

  it('is taken up again when it is back', async () => {
    const port = await freePort();
    const publisher = publisherOf([{ url: `ws://127.0.0.1:${port}` }]);
    const event = make();
    // The clock stands still: on a busy machine the pause would be over before it is looked at.
    const nowMs = Date.now();
    const clock = jest.spyOn(Date, 'now').mockReturnValue(nowMs);
    cleanUp.push(() => clock.mockRestore());
    expect(await place(publisher, event)).toMatchObject({ holding: 0 });
    const relay = await startBareRelay({}, port);
    cleanUp.push(() => relay.stop());
    // Within the pause it is not even tried.
    expect(await place(publisher, event)).toMatchObject({ holding: 0 });
    expect(relay.received).toEqual([]);
    clock.mockReturnValue(nowMs + 550);
    expect(await place(publisher, event)).toMatchObject({ holding: 1 });
  });

  it('may cost the quorum, which is not hopeless: it may come back', async () => {
    const [up, ...down] = [
      await dev(),
      { url: `ws://127.0.0.1:${await freePort()}` },
      { url: `ws://127.0.0.1:${await freePort()}` },
    ];
    const placement = await place(publisherOf([up, ...down]), make());
    expect(placement).toMatchObject({ holding: 1, required: 2, hopeless: false, stoodAlready: false });
    expect(standingOn(placement, up)).toEqual({ state: 'holds' });
    for (const relay of down) {
      expect(standingOn(placement, relay)).toEqual({
        state: 'unreachable',
        detail: expect.stringContaining('ECONNREFUSED') as string,
      });
    }
  });

  it('in the middle of publishing is asked over another connection', async () => {
    const relay = await bare({
      onEvent(event, peer, self) {
        self.keep(event);
        peer.drop();
      },
    });
    const placement = await place(publisherOf([relay]), make());
    expect(placement).toMatchObject({ holding: 1, stoodAlready: false });
    expect(relay.countOf('EVENT')).toBe(1);
    relay.script.onEvent = (_, peer) => peer.drop();
    const other = await place(publisherOf([relay]), make({ d: 'fees:y' }));
    expect(standingOn(other, relay)).toEqual({ state: 'unreachable', detail: 'connection closed (1006)' });
  });
});

describe('a slow relay', () => {
  const slow = (delayMs: number): BareScript => ({
    onEvent(event, peer, relay) {
      relay.keep(event);
      setTimeout(() => peer.send('OK', event.id, true, ''), delayMs).unref();
    },
  });

  it('is waited for a moment after the quorum stands', async () => {
    const relays = [await dev(), await dev(), await bare(slow(50))];
    expect(await place(publisherOf(relays), make())).toMatchObject({ holding: 3 });
  });

  it('that has refused for good is not tried on', async () => {
    const laggard = await bare({
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'blocked: no'),
    });
    const relays = [await dev(), await dev(), laggard];
    const [placement, ms] = await timed(place(publisherOf(relays, { replyTimeoutMs: LONG_MS }), make()));
    expect(placement).toMatchObject({ holding: 2 });
    expect(laggard.countOf('EVENT')).toBe(1);
    expect(ms).toBeLessThan(LONG_MS / 2);
  });

  it('is waited for no longer than a moment, and by the next document hardly', async () => {
    const laggard = await bare(slow(LONG_MS));
    const relays = [await dev(), await dev(), laggard];
    laggard.script.onRequest = () => undefined;
    const publisher = publisherOf(relays, { replyTimeoutMs: LONG_MS });
    const [placement, ms] = await timed(place(publisher, make()));
    expect(placement).toMatchObject({ holding: 2 });
    expect(standingOn(placement, laggard)?.state).toBe('unreachable');
    expect(ms).toBeLessThan(LONG_MS / 2);
    const [next, nextMs] = await timed(place(publisher, make({ d: 'fees:y' })));
    expect(standingOn(next, laggard)).toEqual({ state: 'unreachable', detail: 'no answer yet' });
    expect(nextMs).toBeLessThan(LONG_MS / 2);
    // It is sent to all the same.
    await until(() => laggard.countOf('EVENT') === 2);
  });

  it('does not hold up the look at an address, when a quorum has answered', async () => {
    const silent = await bare({ onRequest: () => undefined });
    const event = make();
    const relays = [await bare({}, event), await bare({}, event), silent];
    const [seen, ms] = await timed(look(publisherOf(relays, { replyTimeoutMs: LONG_MS })));
    expect([...seen.values()]).toEqual([
      { kind: 'event', event },
      { kind: 'event', event },
      { kind: 'unknown', reason: 'no answer yet' },
    ]);
    expect([...seen.keys()]).toEqual(relays.map(({ url }) => url));
    expect(ms).toBeLessThan(LONG_MS / 2);
  });

  it('is waited for to its deadline while there is no quorum without it', async () => {
    const relays = [await dev(), await bare(slow(1_500))];
    expect(await place(publisherOf(relays), make())).toMatchObject({ holding: 2, required: 2 });
  });
});

describe('what counts is what can be read back', () => {
  it('so that OK without the document is no success', async () => {
    const relay = await bare({ onEvent: (event, peer) => peer.send('OK', event.id, true, 'thanks') });
    const placement = await placeOn(relay);
    expect(placement).toMatchObject({ holding: 0, hopeless: false });
    expect(standingOn(placement, relay)).toEqual({ state: 'absent', detail: 'thanks' });
  });

  it('so that OK may come before the document can be read', async () => {
    const relay = await bare({
      onEvent(event, peer, self) {
        peer.send('OK', event.id, true, '');
        setTimeout(() => self.keep(event), 120);
      },
    });
    expect(await placeOn(relay)).toMatchObject({ holding: 1 });
  });

  it('so that a relay that sends no OK holds the document if it shows it', async () => {
    const keeps = await bare({ onEvent: (event, _, relay) => relay.keep(event) });
    expect(standingOn(await placeOn(keeps), keeps)).toEqual({ state: 'holds' });
    const drops = await bare({ onEvent: () => undefined });
    expect(standingOn(await placeOn(drops, make(), { replyTimeoutMs: 3_000 }), drops)).toEqual({
      state: 'absent',
      detail: 'no OK',
    });
  });

  it('so that a relay that keeps an older document does not hold ours', async () => {
    const older = make({ createdAtS: nowS - 60 });
    const relay = await bare({ onEvent: (event, peer) => peer.send('OK', event.id, true, '') }, older);
    expect(standingOn(await placeOn(relay), relay)?.state).toBe('older');
  });

  it('so that our id around another content is not ours', async () => {
    const event = make();
    const relay = await bare({
      onEvent(_, peer, self) {
        self.keep({ ...event, content: 'other' });
        peer.send('OK', event.id, true, '');
      },
    });
    expect(standingOn(await placeOn(relay, event), relay)?.state).toBe('absent');
  });

  it('so that a relay whose reads cannot be had is unknown, not empty', async () => {
    const closes = await bare({
      onRequest: (id, _, peer) => peer.send('CLOSED', id, 'auth-required: members'),
    });
    const neverEnds = await bare({ onRequest: () => undefined });
    const relays = [closes, neverEnds];
    const publisher = publisherOf(relays, { replyTimeoutMs: 3_000 });
    expect([...(await look(publisher)).values()]).toEqual([
      { kind: 'unknown', reason: 'read refused: auth-required: members', wantsIdentity: true },
      { kind: 'unknown', reason: 'no answer to a read', isSilent: true },
    ]);
    const placement = await place(publisher, make());
    expect(standingOn(placement, closes)).toEqual({
      state: 'unreachable',
      detail: 'read refused: auth-required: members',
    });
    expect(standingOn(placement, neverEnds)).toEqual({ state: 'unreachable', detail: 'no answer to a read' });
    expect(placement.hopeless).toBe(false);
  });
});

describe('a document that stands there already', () => {
  it('and is newer stays, and nothing is sent', async () => {
    const newer = make({ createdAtS: nowS + 60 });
    const relay = await bare({}, make({ createdAtS: nowS - 60 }), newer);
    const placement = await placeOn(relay);
    expect(placement).toMatchObject({ holding: 0, newer: { id: newer.id }, hopeless: false });
    expect(standingOn(placement, relay)).toEqual({ state: 'newer', detail: newer.id });
    expect(relay.countOf('EVENT')).toBe(0);
  });

  it('and is newer is found also when it comes between the look and the publishing', async () => {
    const newer = make({ createdAtS: nowS + 60 });
    const relay = await bare({
      onEvent(event, peer, self) {
        self.keep(newer);
        peer.send('OK', event.id, false, 'replaced: have newer event');
      },
    });
    const placement = await placeOn(relay);
    expect(standingOn(placement, relay)).toEqual({ state: 'newer', detail: newer.id });
    expect(placement.newer?.id).toBe(newer.id);
  });

  it('on one relay of three supersedes ours, also when the others took ours', async () => {
    const newer = make({ createdAtS: nowS + 60 });
    const newest = make({ createdAtS: nowS + 90 });
    const relays = [await bare(), await bare(), await bare(), await bare({}, newer), await bare({}, newest)];
    expect(await place(publisherOf(relays), make())).toMatchObject({ holding: 3, newer: { id: newest.id } });
  });

  it('of the same second wins with the lower id', async () => {
    const [winner, loser] = rivals();
    const stands = await bare({}, winner);
    expect(await placeOn(stands, loser)).toMatchObject({ holding: 0, newer: { id: winner.id } });
    const falls = await dev();
    const publisher = publisherOf([falls]);
    await place(publisher, loser);
    const placement = await place(publisher, winner);
    expect(placement).toMatchObject({ holding: 1, stoodAlready: false });
    expect(placement.newer).toBeUndefined();
    expect(falls.events().map(({ id }) => id)).toEqual([winner.id]);
  });

  const later = { createdAtS: nowS + 60 };
  it.each<[string, SignedEvent]>([
    ['whose signature is bad', { ...make(later), sig: 'a'.repeat(128) }],
    ['whose date was changed afterwards', { ...make(), content: 'x', created_at: nowS + 60 }],
    [
      'that another key has signed in the author’s name',
      { ...make({ ...later, key: generateSecretKey() }), pubkey: author },
    ],
    ['of another author', make({ ...later, key: generateSecretKey() })],
    ['of another kind', make({ ...later, kind: 30079 })],
    ['at another address', make({ ...later, d: 'fees:y' })],
  ])('and is newer, but %s, is as if it were not there', async (_, forged) => {
    // Whatever it is asked for, this relay shows the forged one, first and last.
    const relay = await bare({
      onRequest(id, filters, peer, self) {
        peer.send('EVENT', id, forged);
        for (const event of self.stored) peer.send('EVENT', id, event);
        peer.send('EVENT', id, forged);
        self.answer(id, [{ ids: [] }], peer);
      },
    });
    const event = make();
    const publisher = publisherOf([relay]);
    expect([...(await look(publisher)).values()]).toEqual([{ kind: 'nothing' }]);
    const placement = await place(publisher, event);
    expect(placement).toMatchObject({ holding: 1 });
    expect(placement.newer).toBeUndefined();
  });
});

describe('a relay that forges', () => {
  const forgery = (index: number): SignedEvent => ({
    ...make({ createdAtS: nowS + 60 }),
    id: index.toString(16).padStart(64, '0'),
  });
  const shows = (events: SignedEvent[]): Promise<BareRelay> =>
    bare({
      onRequest(id, _, peer) {
        for (const event of events) peer.send('EVENT', id, event);
        peer.send('EOSE', id);
      },
    });

  it('a few events hides nothing', async () => {
    const event = make();
    const relay = await shows([...Array.from({ length: 4 }, (_, index) => forgery(index)), event]);
    expect([...(await look(publisherOf([relay]))).values()]).toEqual([{ kind: 'event', event }]);
  });

  it('any number of them is not believed to be empty, and they are not all checked', async () => {
    const forgeries = Array.from({ length: 1_000 }, (_, index) => forgery(index));
    // Who checks them all finds the genuine one behind them.
    for (const events of [forgeries, [...forgeries, make()]])
      expect([...(await look(publisherOf([await shows(events)]))).values()]).toEqual([
        { kind: 'unknown', reason: 'forged events' },
      ]);
  });
});

describe('the name of a relay', () => {
  it('is its URL without the path, which may be a secret, and with a number where that makes two alike', async () => {
    const relay = await bare();
    const relays = ['/canary-one', '/canary-two', ''].map((path) => ({ url: relay.url + path }));
    const placement = await place(publisherOf(relays), make());
    expect(placement.relays).toEqual({
      [`${relay.url}/… (1)`]: { state: 'holds' },
      [`${relay.url}/… (2)`]: { state: 'holds' },
      [relay.url]: { state: 'holds' },
    });
    expect(placement.holding).toBe(3);
  });
});

describe('a relay that refuses', () => {
  const refuses = (message: unknown, ...more: SignedEvent[]): Promise<BareRelay> =>
    bare({
      onEvent(event, peer, relay) {
        relay.stored.push(...more);
        peer.send('OK', event.id, false, message);
      },
    });

  it.each([
    'pow: 30 bits needed',
    'blocked: spam',
    'invalid: too far in the future',
    'restricted: pay first',
    'mute: no',
  ])('for good (%s) is out, and the quorum hopeless when enough of them do', async (message) => {
    const relay = await refuses(message);
    expect(await placeOn(relay)).toMatchObject({
      holding: 0,
      hopeless: true,
      relays: { [relay.url]: { state: 'refused', detail: message } },
    });
  });

  it.each(['rate-limited: slow down', 'error: database', 'whatever', ''])(
    'for now ("%s") may be asked again',
    async (message) => {
      const relay = await refuses(message);
      expect(await placeOn(relay)).toMatchObject({
        hopeless: false,
        relays: { [relay.url]: { state: 'refused', detail: message } },
      });
    },
  );

  it.each(['duplicate: have it', 'error: timeout'])(
    'with "%s" and has the document holds it',
    async (message) => {
      const event = make();
      const relay = await refuses(message, event);
      expect(standingOn(await placeOn(relay, event), relay)).toEqual({ state: 'holds' });
    },
  );

  it('for its rate is not asked whether it has what it did not take: questions may be dear', async () => {
    const relay = await refuses('rate-limited: slow down');
    expect((await placeOn(relay)).waitsFor).toMatchObject({
      relay: relay.url,
      traffic: 'events',
      words: 'rate-limited: slow down',
    });
    // The look, and nothing after it.
    expect(relay.countOf('REQ')).toBe(1);
  });

  it('as a duplicate, and does not show it, does not hold it', async () => {
    const relay = await refuses('duplicate: have it');
    const placement = await placeOn(relay);
    expect(placement.hopeless).toBe(false);
    expect(standingOn(placement, relay)).toEqual({ state: 'absent', detail: 'duplicate: have it' });
  });

  it('for good leaves the others to the quorum', async () => {
    const relays = [await dev(), await refuses('blocked: no'), await dev()];
    expect(await place(publisherOf(relays), make())).toMatchObject({ holding: 2, hopeless: false });
    const all = await place(publisherOf([relays[0]!, relays[1]!], { quorum: 'all' }), make({ d: 'fees:y' }));
    expect(all).toMatchObject({ holding: 1, required: 2, hopeless: true });
  });

  it('in words that are none, or endless, is quoted as far as it is text', async () => {
    const endless = await refuses(`blocked: \u0000\n${'x'.repeat(5_000)}`);
    const detail = standingOn(await placeOn(endless), endless)?.detail;
    expect(detail).toMatch(/^blocked: {2}x+$/);
    expect(detail).toHaveLength(200);
    const none = await refuses({ toString: 1 });
    expect(standingOn(await placeOn(none), none)).toEqual({ state: 'refused', detail: '' });
  });
});

describe('the pool', () => {
  it('keeps one connection for each relay, however many documents need it at once', async () => {
    const relay = await bare();
    const publisher = publisherOf([relay]);
    await Promise.all(
      Array.from({ length: 10 }, (_, index) => place(publisher, make({ d: `fees:${index}` }))),
    );
    expect(relay.connections()).toBe(1);
    expect(relay.stored).toHaveLength(10);
  });

  it('opens another one when the relay has closed it', async () => {
    const relay = await bare();
    const publisher = publisherOf([relay]);
    await place(publisher, make());
    relay.dropConnections();
    await sleep(50);
    expect(await place(publisher, make({ d: 'fees:y' }))).toMatchObject({ holding: 1 });
  });

  it('that is closed opens nothing any more', async () => {
    const relay = await bare();
    const pool = new RelayPool({ connectTimeoutMs: 1_000 });
    const opening = pool.get(relay.url).catch((error: Error) => error.message);
    pool.close();
    expect(await opening).toBe('the relay pool is closed');
    await expect(pool.get(relay.url)).rejects.toThrow('the relay pool is closed');
    await sleep(50);
    expect(relay.connections()).toBe(0);
  });

  it('that is closed waits for no host that never answers', async () => {
    const hole = await blackHole();
    const pool = new RelayPool({ connectTimeoutMs: LONG_MS });
    const startedAtMs = Date.now();
    const opening = pool.get(hole.url).catch((error: Error) => error.message);
    await until(() => hole.calls() === 1);
    pool.close();
    expect(await opening).toBe('the relay pool is closed');
    expect(Date.now() - startedAtMs).toBeLessThan(LONG_MS / 2);
  });
});
