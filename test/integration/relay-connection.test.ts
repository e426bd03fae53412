import { getEventListeners, once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../embedded/free-port';
import type { SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import { readStored } from '../../nostr/relays/read';
import { plainText } from '../../nostr/relays/plain-text';
import type { BareRelay, BareScript } from '../support/bare-relay';
import {
  PATIENCE_MS,
  SHORT_MS,
  make,
  everything,
  cleanUp,
  serve,
  connect,
  serveSilence,
  read,
  messageOf,
} from '../support/relay-connections';
import { watchTimers } from '../support/timers';
import { until } from '../support/until';
describe('publishing', () => {
  it('gives back what the relay said', async () => {
    const relay = await serve({
      onEvent: (event, peer) => peer.send('OK', event.id, event.tags[0]?.[1] === 'a', 'blocked: no'),
    });
    const connection = await connect(relay);
    expect(await connection.publish(make('a'), PATIENCE_MS)).toEqual({
      kind: 'ok',
      accepted: true,
      message: 'blocked: no',
    });
    expect(await connection.publish(make('b'), PATIENCE_MS)).toMatchObject({ accepted: false });
  });

  it('settles both of two that publish one event at the same time', async () => {
    // nostr-tools keeps one callback for an id: there the first call never settles.
    const relay = await serve();
    const connection = await connect(relay);
    const event = make();
    const replies = await Promise.all([
      connection.publish(event, PATIENCE_MS),
      connection.publish(event, PATIENCE_MS),
    ]);
    expect(replies).toEqual([
      { kind: 'ok', accepted: true, message: '' },
      { kind: 'ok', accepted: true, message: '' },
    ]);
    expect(relay.countOf('EVENT')).toBe(2);
  });

  it('tells the answers to different events apart, in whatever order they come', async () => {
    const held: SignedEvent[] = [];
    const relay = await serve({
      onEvent(event, peer) {
        held.push(event);
        if (held.length < 3) return;
        peer.send('OK', 'f'.repeat(64), true, 'of nobody');
        for (const { id, tags } of held.reverse()) peer.send('OK', id, true, tags[0]?.[1]);
      },
    });
    const connection = await connect(relay);
    const replies = await Promise.all(['a', 'b', 'c'].map((d) => connection.publish(make(d), PATIENCE_MS)));
    expect(replies.map((reply) => reply.kind === 'ok' && reply.message)).toEqual(['a', 'b', 'c']);
  });

  it('does not take for unread what is written at once: a page of large ones', async () => {
    const relay = await serve();
    const connection = await connect(relay);
    const large = { ...make(), content: 'x'.repeat(64_000) };
    const replies = await Promise.all(
      Array.from({ length: 100 }, () => connection.publish(large, PATIENCE_MS)),
    );
    expect(replies.filter(({ kind }) => kind !== 'ok')).toEqual([]);
  });

  it('calls a relay that sends no OK silent, and is not confused by one that comes too late', async () => {
    const relay = await serve({
      onEvent: (event, peer) => void setTimeout(() => peer.send('OK', event.id, true, ''), SHORT_MS + 100),
    });
    const connection = await connect(relay);
    expect(await connection.publish(make(), SHORT_MS)).toEqual({ kind: 'silent' });
    await sleep(150);
    expect(connection.isOpen).toBe(true);
  });

  it.each([['no'], [1], [null], [{ accepted: true }], ['true']])(
    'takes %j for no acceptance: only true is one',
    async (accepted) => {
      const relay = await serve({ onEvent: (event, peer) => peer.send('OK', event.id, accepted) });
      const reply = await (await connect(relay)).publish(make(), PATIENCE_MS);
      expect(reply).toEqual({ kind: 'ok', accepted: false, message: '' });
    },
  );
});

describe('reading', () => {
  it('gives what came before EOSE, and ends the subscription', async () => {
    const relay = await serve();
    relay.stored = [make('a'), make('b')];
    const connection = await connect(relay);
    const reply = await read(connection, { ...everything, '#d': ['b'] });
    expect(reply).toEqual({ kind: 'eose', events: [relay.stored[1]] });
    await until(() => relay.countOf('CLOSE') === 1);
    const [[, subscription]] = relay.received as [unknown[]];
    expect(relay.received.at(-1)).toEqual(['CLOSE', subscription]);
  });

  it('tells CLOSED and silence apart from an empty answer', async () => {
    const connection = await connect(await serve());
    expect(await read(connection, everything)).toEqual({ kind: 'eose', events: [] });
    const closes = await connect(
      await serve({ onRequest: (id, _, peer) => peer.send('CLOSED', id, 'restricted: no') }),
    );
    expect(await read(closes, everything)).toEqual({
      kind: 'closed',
      reason: 'restricted: no',
      events: [],
    });
  });

  it('gives what came where no EOSE does, with the last words of the relay', async () => {
    const silent = await connect(
      await serve({
        onRequest(id, _, peer) {
          peer.send('EVENT', id, make());
          peer.send('NOTICE', 'slow');
          peer.send('NOTICE', 'too slow');
        },
      }),
    );
    // Time enough on a busy machine for what comes.
    expect(await read(silent, everything, 3_000)).toEqual({
      kind: 'timeout',
      events: [expect.objectContaining({ kind: 30078 })],
      words: 'too slow',
    });
    const lost = await connect(
      await serve({
        onRequest(id, _, peer) {
          peer.send('EVENT', id, make());
          setTimeout(() => peer.drop(), 50);
        },
      }),
    );
    expect(await read(lost, everything)).toMatchObject({ kind: 'lost', events: [{ kind: 30078 }] });
  });

  it('repeats no secret of the URL in what the relay says', async () => {
    const said = 'no token canary-7f3a here';
    const relay = await serve({
      onRequest: (subscription, _, peer) => {
        peer.send('NOTICE', said);
        peer.send('CLOSED', subscription, said);
      },
      onEvent: ({ id }, peer) => peer.send('OK', id, false, said),
    });
    const notices: string[] = [];
    const connection = await connect(
      { url: `${relay.url}/?token=canary-7f3a` },
      { onNotice: (text) => notices.push(text) },
    );
    const read = await readStored(connection, [everything], { timeoutMs: PATIENCE_MS });
    const published = await connection.publish(make(), PATIENCE_MS);
    const all = JSON.stringify([notices, read, published, connection.lastWords]);
    expect(all.match(/no token … here/g)).toHaveLength(4);
    expect(all).not.toContain('canary');
  });

  it('ends with a NOTICE that says that no answer will come', async () => {
    const relay = await serve({ onRequest: (_, __, peer) => peer.send('NOTICE', 'bad req') });
    const options = { timeoutMs: PATIENCE_MS, isEnd: (notice: string) => notice === 'bad req' };
    const reply = await readStored(await connect(relay), [everything], options);
    expect(reply).toEqual({ kind: 'timeout', events: [], words: 'bad req' });
  });

  it('listens on after EOSE for as long as it is told, and ends with that as its answer', async () => {
    const event = make();
    const relay = await serve({
      onRequest(id, _, peer) {
        peer.send('EOSE', id);
        setTimeout(() => peer.send('EVENT', id, event), 50);
        peer.send('EOSE', id);
      },
    });
    const connection = await connect(relay);
    expect(await read(connection, everything)).toEqual({ kind: 'eose', events: [] });
    const [lingerMs, startedAtMs] = [40_000, Date.now()];
    const reply = await readStored(connection, [everything], {
      timeoutMs: PATIENCE_MS,
      lingerMs: (events) => (events.length > 0 ? 0 : lingerMs),
    });
    expect(reply).toEqual({ kind: 'eose', isRepeated: true, events: [event] });
    expect(Date.now() - startedAtMs).toBeLessThan(lingerMs / 2);
  });

  it('takes several filters in one REQ', async () => {
    const relay = await serve();
    relay.stored = ['a', 'b', 'c'].map((d) => make(d));
    const filters = ['a', 'c'].map((d) => ({ ...everything, '#d': [d] }));
    const reply = await readStored(await connect(relay), filters, { timeoutMs: PATIENCE_MS });
    expect(reply.events).toEqual([relay.stored[0], relay.stored[2]]);
    expect(relay.countOf('REQ')).toBe(1);
  });

  it('keeps two reads at once apart', async () => {
    const relay = await serve();
    relay.stored = [make('a'), make('b')];
    const connection = await connect(relay);
    const replies = await Promise.all(['a', 'b'].map((d) => read(connection, { ...everything, '#d': [d] })));
    expect(replies).toEqual(relay.stored.map((event) => ({ kind: 'eose', events: [event] })));
  });

  it('skips what is no event, and takes a flood only so far', async () => {
    const flood = Array.from({ length: 150 }, () => make());
    const relay = await serve({
      onRequest(id, _, peer) {
        for (const nonsense of [null, 'event', {}, { ...make(), tags: null }])
          peer.send('EVENT', id, nonsense);
        peer.send('EVENT', 'another subscription', make());
        for (const event of flood) peer.send('EVENT', id, event);
        peer.send('EOSE', 'another subscription');
        peer.send('EOSE', id);
      },
    });
    const reply = await read(await connect(relay), everything);
    expect(reply.kind).toBe('eose');
    expect(reply.events).toEqual(flood.slice(0, 100));
  });
});

describe('opening', () => {
  it('names the network’s reason', async () => {
    const url = `ws://127.0.0.1:${await freePort()}/canary`;
    const message = await messageOf(RelayConnection.open({ url, connectTimeoutMs: PATIENCE_MS }));
    expect(message).toMatch(/connect ECONNREFUSED/);
    expect(message).not.toContain('canary');
  });

  it.each(['wss://relay.example:99999/canary', 'canary', 'ws://127.0.0.1:1/canary#fragment'])(
    'refuses %s without repeating it, because the path may be a secret',
    async (url) => {
      const message = await messageOf(RelayConnection.open({ url, connectTimeoutMs: PATIENCE_MS }));
      expect(message).toMatch(/URL/);
      expect(message).not.toContain('canary');
    },
  );

  it('takes no redirect and no web page for a relay', async () => {
    const server = createHttpServer((request, response) => {
      response.writeHead(request.url === '/moved' ? 302 : 200, { location: 'ws://127.0.0.1:1/' }).end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    const base = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const open = (path: string): Promise<string> =>
      messageOf(RelayConnection.open({ url: base + path, connectTimeoutMs: PATIENCE_MS }));
    expect(await open('/moved')).toBe('the relay answers HTTP 302 in place of a websocket');
    expect(await open('/page')).toBe('the relay answers HTTP 200 in place of a websocket');
  });

  it('gives up on a host that takes connections and says nothing', async () => {
    const { url, sockets } = await serveSilence();
    const message = await messageOf(RelayConnection.open({ url, connectTimeoutMs: SHORT_MS }));
    expect(message).toMatch(/handshake has timed out/);
    await until(() => sockets.size === 0);
  });

  it('is left by a signal, with no socket and no listener behind', async () => {
    const { url, sockets } = await serveSilence();
    const controller = new AbortController();
    const opening = messageOf(
      RelayConnection.open({ url, connectTimeoutMs: PATIENCE_MS }, controller.signal),
    );
    await until(() => sockets.size === 1);
    controller.abort();
    expect(await opening).toMatch(/closed before/);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    await until(() => sockets.size === 0);
  });

  it('does not begin for a signal that is aborted already', async () => {
    const relay = await serve();
    const signal = AbortSignal.abort(new Error('cancelled'));
    expect(await messageOf(connect(relay, {}, signal))).toBe('cancelled');
    await sleep(50);
    expect(relay.connections()).toBe(0);
  });

  it('leaves no listener on the signal, which then has no power over the connection', async () => {
    const relay = await serve();
    const controller = new AbortController();
    const connection = await connect(relay, {}, controller.signal);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    controller.abort();
    expect(await connection.publish(make(), PATIENCE_MS)).toMatchObject({ kind: 'ok' });
  });
});

describe('a connection that is gone', () => {
  const silent: BareScript = { onEvent: () => undefined, onRequest: () => undefined };

  it.each<[string, (relay: BareRelay, connection: RelayConnection) => void, RegExp]>([
    ['lost', (relay) => relay.dropConnections(), /^connection closed \(1006\)$/],
    ['closed by us', (_, connection) => connection.close(), /^closed by us$/],
  ])('tells every waiting call that it was %s', async (_, end, reason) => {
    const relay = await serve(silent);
    const reasons: string[] = [];
    const connection = await connect(relay, { onLost: (text) => reasons.push(text) });
    const event = make();
    const waiting = [
      connection.publish(event, PATIENCE_MS),
      connection.publish(event, PATIENCE_MS),
      connection.publish(make('b'), PATIENCE_MS),
      read(connection, everything),
      read(connection, everything),
    ];
    await until(() => relay.received.length === 5);
    end(relay, connection);
    for (const reply of await Promise.all(waiting)) {
      expect(reply).toMatchObject({ kind: 'lost', reason: expect.stringMatching(reason) as string });
    }
    expect(connection.isOpen).toBe(false);
    connection.close();
    await until(() => relay.connections() === 0);
    expect(reasons).toEqual([expect.stringMatching(reason)]);
  });

  it('says so to every later call, and sends nothing', async () => {
    const relay = await serve();
    const connection = await connect(relay);
    connection.close();
    const lost = { kind: 'lost', reason: 'closed by us' };
    expect(await connection.publish(make(), PATIENCE_MS)).toEqual(lost);
    expect(await read(connection, everything)).toEqual({ ...lost, events: [] });
    expect(connection.send(make())).toBe(false);
    expect(relay.received).toEqual([]);
  });

  it('leaves no timer behind', async () => {
    const timers = watchTimers(61_234);
    const relay = await serve(silent);
    const connection = await connect(relay);
    const waiting = [connection.publish(make(), 61_234), read(connection, everything, 61_234)];
    await until(() => relay.received.length === 2);
    expect(timers()).toBe(2);
    relay.dropConnections();
    await Promise.all(waiting);
    expect(timers()).toBe(0);
  });

  it('calls no handler of a subscription any more', async () => {
    const relay = await serve();
    const connection = await connect(relay);
    const seen: string[] = [];
    let live = false;
    const subscription = connection.subscribe([everything], {
      onEvent: ({ id }) => seen.push(id),
      onEose: () => (live = true),
    });
    await until(() => live);
    const [first, second] = [make('a'), make('b')];
    relay.push(first);
    await until(() => seen.length === 1);
    subscription.close();
    relay.push(second);
    expect(await connection.publish(make(), PATIENCE_MS)).toMatchObject({ kind: 'ok' });
    expect(seen).toEqual([first.id]);
  });
});

describe('plainText', () => {
  it('makes one bounded line of a stranger’s words', () => {
    expect(plainText('a\r\n\u001b[31mb\u0000\u009bc')).toBe('a [31mb c');
    expect(plainText('x'.repeat(500))).toHaveLength(200);
  });

  it('leaves no half of an emoji, which neither Postgres nor Temporal would take', () => {
    expect(plainText(`${'x'.repeat(199)}😀`)).toBe(`${'x'.repeat(199)}\ufffd`);
    expect(plainText('\ud83d no')).toBe('\ufffd no');
    expect(plainText('😀 yes')).toBe('😀 yes');
  });

  it('takes what is no text for nothing', () => {
    for (const value of [undefined, null, 7, {}, [], { toString: 1 }]) expect(plainText(value)).toBe('');
  });
});
