import { getEventListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Filter } from 'nostr-tools/filter';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { type DevBunker, startBunker } from '../../dev/bunker';
import { type DevRelay, startRelay } from '../../dev/relay';
import { BunkerClient, type BunkerClientOptions } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import { RequestPacer } from '../../nostr/bunker/request-pacer';
import type { SignedEvent } from '../../nostr/events';
import { type BarePeer, type BareRelay, type BareScript, startBareRelay } from '../support/bare-relay';
import { fails } from '../support/fails';
import { startFaultProxy } from '../support/fault-proxy';
import { type Saga, startSaga } from '../support/saga';
import { until } from '../support/until';

const started: { stop(): Promise<unknown> }[] = [];
const clients: BunkerClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const server of started.splice(0).reverse()) await server.stop();
});

async function dev(): Promise<DevRelay> {
  const relay = await startRelay();
  started.push(relay);
  return relay;
}
async function bare(script: Parameters<typeof startBareRelay>[0] = {}): Promise<BareRelay> {
  const relay = await startBareRelay(script);
  started.push(relay);
  return relay;
}

/**
 * A bunker on some relays, and a client that it knows, and that knows only of some of its relays. What is not
 * about time limits has time enough for a busy machine.
 */
async function pair(
  bunkerRelays: string[],
  clientRelays: string[] = bunkerRelays,
  options: Partial<BunkerClientOptions> = {},
): Promise<{ bunker: DevBunker; client: BunkerClient }> {
  const clientSecretKey = generateSecretKey();
  const bunker = await startBunker({
    relays: bunkerRelays,
    knownClients: [getPublicKey(clientSecretKey)],
  });
  started.push(bunker);
  const client = new BunkerClient({
    bunkerPubkey: bunker.signerPubkey,
    relays: clientRelays,
    clientSecretKey,
    requestTimeoutMs: 30_000,
    approvalTimeoutMs: 30_000,
    connectTimeoutMs: 20_000,
    limiter: new Limiter(8),
    ...options,
  });
  clients.push(client);
  await bunker.ready;
  await client.untilReachable();
  return { bunker, client };
}

function movesTo(bunker: DevBunker, relays: unknown): void {
  bunker.setFaults(({ method }) =>
    method === 'switch_relays' ? { result: JSON.stringify(relays) } : undefined,
  );
}

describe('a bunker that moves to other relays (NIP-46 switch_relays)', () => {
  it('is followed: what is asked next goes over the new ones, and the old one is left', async () => {
    const [old, next] = [await dev(), await dev()];
    const { bunker, client } = await pair([old.url, next.url], [old.url]);
    movesTo(bunker, [next.url]);
    expect(await client.switchRelays()).toEqual([next.url]);
    await until(() => old.connections() === 1); // the bunker's own
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
    await old.stop();
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
  });

  it('is not followed under a request: its answer is still heard where it was asked', async () => {
    const old = await bare();
    const next = await dev();
    const { bunker, client } = await pair([old.url, next.url], [old.url]);
    let held: [SignedEvent, BareRelay] | undefined;
    old.script.onEvent = (event, peer, relay) => {
      peer.send('OK', event.id, true, '');
      if (event.pubkey === client.clientPubkey && held === undefined) held = [event, relay];
      else relay.keep(event);
    };
    const slow = client.getPublicKey();
    await until(() => held !== undefined);
    movesTo(bunker, [next.url]);
    expect(await client.switchRelays()).toEqual([next.url]);
    // Still there: somebody waits for an answer on it.
    expect(old.connections()).toBe(2);
    const [event, relay] = held as unknown as [SignedEvent, BareRelay];
    relay.keep(event);
    expect(await slow).toBe(bunker.userPubkey);
    await until(() => old.connections() === 1);
  });

  it.each([
    ['null', null],
    ['an empty list', []],
    ['no list', 'wss://relay.example.com'],
    ['no URLs', [7, 'relay', null]],
    ['addresses that are not allowed', ['ws://10.0.0.1', 'wss://192.168.1.1', 'ws://relay.example.com']],
    ['relays that are not there', ['ws://127.0.0.1:9']],
  ])('stays where it is with %s', async (_, answer) => {
    const relay = await dev();
    // New relays are waited for twice as long as for a connection.
    const { bunker, client } = await pair([relay.url], undefined, { connectTimeoutMs: 1_000 });
    movesTo(bunker, answer);
    expect(await client.switchRelays()).toBeUndefined();
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
    await until(() => relay.connections() === 2);
  });

  it('is not followed to a host of this machine that its URI did not name, though one answers there', async () => {
    const [relay, own] = [await dev(), await dev()];
    const { bunker, client } = await pair([relay.url]);
    for (const host of ['localhost', 'bunker.localhost', '[::1]', '[::ffff:127.0.0.1]']) {
      movesTo(bunker, [`ws://${host}:${own.port}`]);
      expect(await client.switchRelays()).toBeUndefined();
    }
    expect(own.connections()).toBe(0);
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
  });

  it('is not followed further than to five relays', async () => {
    const relays = await Promise.all(Array.from({ length: 7 }, () => dev()));
    const { bunker, client } = await pair(
      relays.map(({ url }) => url),
      [relays[0]?.url ?? ''],
    );
    movesTo(
      bunker,
      relays.map(({ url }) => url),
    );
    expect(await client.switchRelays()).toHaveLength(5);
  });

  it('costs nothing when the bunker does not know the question', async () => {
    const relay = await dev();
    const { bunker, client } = await pair([relay.url]);
    bunker.setFaults(({ method }) => (method === 'switch_relays' ? { error: 'unknown method' } : undefined));
    expect(await client.switchRelays()).toBeUndefined();
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
  });
});

describe('a request that may be lost', () => {
  it('is heard when both sides lose the relay at the same moment: sent again, the same event', async () => {
    const relay = await dev();
    const [ofClient, ofBunker] = await Promise.all([startFaultProxy(relay.url), startFaultProxy(relay.url)]);
    started.push(ofClient, ofBunker);
    // It is sent again after half of its time: the bunker is long back by then.
    const options = { requestTimeoutMs: 14_000, approvalTimeoutMs: 14_000 };
    const { bunker, client } = await pair([ofBunker.url], [ofClient.url], options);
    await ofBunker.down();
    const asked = client.getPublicKey();
    await until(() => ofClient.events().length === 1);
    // The relay has said OK, and nobody listened. The client is back at once, the bunker later.
    ofClient.dropConnections();
    await until(() => ofClient.events().length === 2);
    await ofBunker.up();
    expect(await asked).toBe(bunker.userPubkey);
    expect(bunker.requests).toHaveLength(1);
    expect(new Set(ofClient.events().map(({ id }) => id)).size).toBe(1);
  });

  it('because the relay drops what is too much without a word is sent again, and comes through', async () => {
    let sent = 0;
    const relay = await bare();
    const { bunker, client } = await pair([relay.url], undefined, { requestTimeoutMs: 10_000 });
    relay.script.onEvent = (event, _, self) => {
      if (event.pubkey === client.clientPubkey && sent++ === 0) return;
      self.keep(event);
    };
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
    expect(sent).toBe(2);
  });

  it('is not sent again when the relay has passed it on: a person may be at it', async () => {
    const relay = await dev();
    const { bunker, client } = await pair([relay.url], undefined, { requestTimeoutMs: 2_000 });
    bunker.setFaults(() => ({ swallow: true }));
    await expect(client.getPublicKey()).rejects.toMatchObject({ type: 'SignerTimeout' });
    expect(bunker.requests).toHaveLength(1);
  });
});

describe('a relay that asks for patience', () => {
  it('by NOTICE slows the requests down, for all that share the bunker', async () => {
    const pacer = new RequestPacer();
    let peers: BarePeer[] = [];
    const relay = await bare({ onConnect: (peer) => void (peers = [...peers, peer]) });
    const { bunker, client } = await pair([relay.url], undefined, { pacer });
    expect(pacer.ratePerS).toBe(Infinity);
    for (const peer of peers) peer.send('NOTICE', 'rate-limited: slow down there');
    await until(() => pacer.ratePerS < Infinity);
    for (const peer of peers) peer.send('NOTICE', 'have a nice day');
    const rate = pacer.ratePerS;
    await sleep(50);
    expect(pacer.ratePerS).toBe(rate);
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
  });

  it('by CLOSED is subscribed to again on the same connection, before anything is sent', async () => {
    const relay = await bare();
    const { bunker, client } = await pair([relay.url]);
    let refusals = 2;
    let subscribed = 0;
    let isBunkerBack = false;
    relay.script.onRequest = (subscription, filters, peer, self) => {
      if (!filters[0]?.['#p']?.includes(client.clientPubkey)) {
        isBunkerBack = true;
        return self.answer(subscription, filters, peer);
      }
      subscribed += 1;
      if (refusals-- > 0) return peer.send('CLOSED', subscription, 'rate-limited: too many requests');
      self.answer(subscription, filters, peer);
    };
    const peers: BarePeer[] = [];
    relay.script.onConnect = (peer) => void peers.push(peer);
    relay.dropConnections();
    // What the relay takes while the bunker is away is lost, and the relay has said OK.
    await until(() => isBunkerBack);
    expect(await client.getPublicKey()).toBe(bunker.userPubkey);
    expect(subscribed).toBe(3);
    // The client's and the bunker's.
    expect(peers.length).toBe(2);
  });
});

test('a request that was cancelled or timed out leaves nothing behind', async () => {
  const relay = await dev();
  const { bunker, client } = await pair([relay.url], undefined, { requestTimeoutMs: 300 });
  bunker.setFaults(() => ({ swallow: true }));
  const controller = new AbortController();
  const { signal } = controller;
  const timersBefore = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;

  const timedOut = Array.from({ length: 100 }, () =>
    client.getPublicKey({ signal }).catch(() => 'timed out'),
  );
  expect(new Set(await Promise.all(timedOut))).toEqual(new Set(['timed out']));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);

  const cancelled = Array.from({ length: 900 }, () =>
    client.getPublicKey({ signal }).catch(() => 'cancelled'),
  );
  await sleep(50);
  controller.abort(new Error('enough'));
  expect(new Set(await Promise.all(cancelled))).toEqual(new Set(['cancelled']));
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  const timersAfter = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  expect(timersAfter).toBeLessThanOrEqual(timersBefore + 2);
  bunker.setFaults(undefined);
  // Within 300 ms, which a busy machine may not manage at the first try.
  await until(() =>
    client.getPublicKey().then(
      (pubkey) => pubkey === bunker.userPubkey,
      () => false,
    ),
  );
});

describe('a run whose bunker moves', () => {
  let saga: Saga;
  beforeAll(async () => {
    saga = await startSaga({ relays: 2 });
    // It is asked once where it moves to, and an answer that comes too late is none.
    await saga.startWorker({
      env: { REPUBLISH_BUNKER_TIMEOUT_MS: '60000', REPUBLISH_RELAY_TIMEOUT_MS: '20000' },
    });
  });
  afterAll(() => saga.stop());

  it('goes on over the new relays, and the next worker begins there', async () => {
    const [first, second] = saga.relays.map(({ url }) => url) as [string, string];
    const { id, bunker } = await saga.addOperator({ machines: 3, bunker: { relays: [first, second] } });
    await saga.database.query('UPDATE republish.signers SET bunker_relays = $2 WHERE operator_user_id = $1', [
      id,
      [first],
    ]);
    movesTo(bunker, [second]);
    const events = await (await saga.start(id)).result();
    expect(Object.values(events).flat()).toHaveLength(6);
    await until(async () => {
      const [row] = await saga.database.query<{ relays: string[] }>(
        'SELECT bunker_relays AS relays FROM republish.signers WHERE operator_user_id = $1',
        [id],
      );
      return row?.relays.join() === second;
    });
    // Asked once for all documents of the run, and of the next one.
    await (await saga.start(id, { force: true, resetCounts: true })).result();
    expect(bunker.requests.filter(({ method }) => method === 'switch_relays')).toHaveLength(2);
  });
});

describe('a relay that asks who the client is (NIP-42)', () => {
  const isClient = (client: BunkerClient, filters: Filter[]): boolean =>
    filters.some((filter) => filter['#p']?.includes(client.clientPubkey));

  /** A bunker on a relay that has let in everybody so far, and a new client of it when `script` holds. */
  async function behind(script: (client: () => BunkerClient) => BareScript) {
    const relay = await bare();
    const { bunker, client: first } = await pair([relay.url]);
    let client = first;
    relay.script = script(() => client);
    client = new BunkerClient({
      bunkerPubkey: bunker.signerPubkey,
      relays: [relay.url],
      clientSecretKey: generateSecretKey(),
      requestTimeoutMs: 30_000,
      approvalTimeoutMs: 30_000,
      connectTimeoutMs: 20_000,
      limiter: new Limiter(8),
    });
    clients.push(client);
    // It is a stranger to the bunker: a refusal is an answer.
    const asked = client.getPublicKey().catch((error: Error) => error.message);
    return { relay, client, asked, bunker };
  }
  const ANSWERED = expect.stringContaining('does not know or allow this client') as unknown;

  it('and refuses the answer, but needs none, is used without', async () => {
    const { asked, relay } = await behind(() => ({
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth: (event, peer) => peer.send('OK', event.id, false, 'error: nobody is known here'),
    }));
    expect(await asked).toEqual(ANSWERED);
    expect(relay.countOf('AUTH')).toBe(1);
  });

  it('in the middle of a connection is answered with the newest challenge, and not a hundred times', async () => {
    let answered: string | undefined;
    let peers: BarePeer[] = [];
    const { asked, relay } = await behind((client) => ({
      onConnect: (peer) => void (peers = [...peers, peer]),
      onAuth(event, peer) {
        // The bunker is asked as well.
        if (event.pubkey === client().clientPubkey)
          answered = event.tags.find(([name]) => name === 'challenge')?.[1];
        peer.send('OK', event.id, true, '');
      },
    }));
    expect(await asked).toEqual(ANSWERED);
    for (let index = 0; index < 100; index += 1) {
      for (const peer of peers) peer.send('AUTH', `c${index}`);
      await sleep(2);
    }
    await until(() => answered === 'c99');
    expect(relay.countOf('AUTH')).toBeLessThan(20);
  });

  it('and says nothing to the answer is taken to have understood it', async () => {
    const known = new Set<number>();
    const { asked } = await behind((client) => ({
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth: (_, peer) => void known.add(peer.index),
      onRequest(id, filters, peer, self) {
        if (!known.has(peer.index) && isClient(client(), filters))
          return peer.send('CLOSED', id, 'auth-required: who are you?');
        self.answer(id, filters, peer);
      },
    }));
    expect(await asked).toEqual(ANSWERED);
  });

  it('as LNbits’ relay does: with a bare AUTH, and takes the answer as an EVENT only', async () => {
    const known = new Set<number>();
    const live = new Set<number>();
    const { asked, relay } = await behind((client) => ({
      onRequest(id, filters, peer, self) {
        if (!isClient(client(), filters)) return self.answer(id, filters, peer);
        if (!known.has(peer.index)) return peer.send('AUTH', 'challenge');
        live.add(peer.index);
        self.answer(id, filters, peer);
      },
      onAuth: (_, peer) => peer.send('AUTH', 'challenge'),
      onEvent(event, peer, self) {
        if (event.kind === 22242) known.add(peer.index);
        // Whose subscription was passed over, nobody hears of it. A login that took long was not waited for.
        else if (live.size === 0) return peer.send('OK', event.id, false, 'error: who are you?');
        else self.keep(event);
        peer.send('OK', event.id, true, '');
      },
    }));
    expect(await asked).toEqual(ANSWERED);
    expect(relay.countOf('AUTH')).toBe(1);
  });

  it('again, because it has forgotten who came, is told once more', async () => {
    const known = new Set<number>();
    let closeAll = (): void => undefined;
    const { asked, relay, client } = await behind((current) => ({
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth(event, peer) {
        known.add(peer.index);
        peer.send('OK', event.id, true, '');
      },
      onRequest(id, filters, peer, self) {
        if (!isClient(current(), filters)) return self.answer(id, filters, peer);
        if (!known.has(peer.index)) return peer.send('CLOSED', id, 'auth-required: who are you?');
        closeAll = () => {
          known.clear();
          peer.send('CLOSED', id, 'auth-required: who are you?');
        };
        self.answer(id, filters, peer);
      },
    }));
    expect(await asked).toEqual(ANSWERED);
    const connections = relay.connections();
    closeAll();
    expect(await client.getPublicKey().catch((error: Error) => error.message)).toEqual(ANSWERED);
    expect(relay.countOf('AUTH')).toBe(2);
    expect(relay.connections()).toBe(connections);
  });

  it('or says something else: the word that the protocol has for it stands beside the silence', async () => {
    const relay = await bare();
    const { bunker, client } = await pair([relay.url], undefined, { requestTimeoutMs: 4_000 });
    bunker.setFaults(() => ({ swallow: true }));
    relay.script = {
      onEvent: (_, peer) => peer.send('NOTICE', 'blocked: canary is not welcome'),
    };
    const { message } = await fails(Error, client.getPublicKey());
    expect(message).toContain('said last: blocked');
    expect(message).not.toContain('canary');
  });
});
