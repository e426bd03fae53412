import { once } from 'node:events';
import { request } from 'node:http';
import type { Event, EventTemplate } from 'nostr-tools/core';
import type { Filter } from 'nostr-tools/filter';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import WebSocket from 'ws';
import { startRelay } from '../../dev/relay';
import { RelayLink } from '../../dev/relay-link';
import type { DevRelay } from '../../dev/relay';
import { freePort } from '../../embedded/free-port';
import { until } from '../support/until';

// nostr-tools has no WebSocket of its own on Node 20, and each of its entries needs to be told separately.
useWebSocketImplementation(WebSocket);

const secretKey = generateSecretKey();
const author = getPublicKey(secretKey);
const nowS = Math.floor(Date.now() / 1000);

function make(template: Partial<EventTemplate>): Event {
  return finalizeEvent(
    { kind: 30078, created_at: nowS, tags: [['d', 'a']], content: '', ...template },
    secretKey,
  );
}

/** A client that takes no slow answer for none. */
async function connect(url: string): Promise<Relay> {
  const client = new Relay(url);
  client.baseEoseTimeout = client.publishTimeout = 50_000;
  await client.connect();
  return client;
}

/** Everything a fresh subscription gets before EOSE. */
async function query(client: Relay, ...filters: Filter[]): Promise<Event[]> {
  const events: Event[] = [];
  await new Promise<void>((resolve) => {
    const subscription = client.subscribe(filters, {
      onevent: (event) => events.push(event),
      oneose: () => {
        subscription.close();
        resolve();
      },
    });
  });
  return events;
}

/** A subscription that is live when this resolves; the array grows with what arrives. */
async function live(client: Relay, filter: Filter): Promise<Event[]> {
  const events: Event[] = [];
  await new Promise<void>((resolve) => {
    client.subscribe([filter], { onevent: (event) => events.push(event), oneose: () => resolve() });
  });
  return events;
}

describe('embedded relay', () => {
  let relay: DevRelay;
  let client: Relay;
  const frames: { direction: string; socketId: number; frame: unknown[] }[] = [];

  beforeEach(async () => {
    frames.length = 0;
    relay = await startRelay({
      onMessage: (direction, socketId, frame) => frames.push({ direction, socketId, frame }),
    });
    client = await connect(relay.url);
  });

  afterEach(async () => {
    client.close();
    await relay.stop();
  });

  it('keeps the newest event of an address and says duplicate to an older one', async () => {
    const [older, newer] = [make({ created_at: nowS - 10 }), make({ created_at: nowS })];
    const elsewhere = make({ tags: [['d', 'b']], created_at: nowS - 20 });
    expect(await client.publish(newer)).toBe('');
    expect(await client.publish(older)).toMatch(/^duplicate:/);
    await client.publish(elsewhere);
    const found = await query(client, { kinds: [30078], authors: [author], '#d': ['a'] });
    expect(found.map((event) => event.id)).toEqual([newer.id]);
    expect(relay.events().map((event) => event.id)).toEqual([newer.id, elsewhere.id]);
    // Reading back does not answer from a cache: the same question finds a newer one at once.
    const newest = make({ created_at: nowS + 1 });
    await client.publish(newest);
    const again = await query(client, { kinds: [30078], authors: [author], '#d': ['a'] });
    expect(again.map((event) => event.id)).toEqual([newest.id]);
  });

  it.each([
    ['lowest id first', 1],
    ['lowest id last', -1],
  ])('gives a tie to the lowest id (%s)', async (_order, sign) => {
    const pair = [make({ content: 'x' }), make({ content: 'y' })].sort(
      (a, b) => (a.id < b.id ? -1 : 1) * sign,
    );
    const lowest = pair.map((event) => event.id).sort()[0];
    for (const event of pair) await client.publish(event);
    expect(relay.events().map((event) => event.id)).toEqual([lowest]);
  });

  it('replaces kind 0 per author, and stores regular events side by side', async () => {
    await client.publish(make({ kind: 0, tags: [], created_at: nowS - 1 }));
    await client.publish(make({ kind: 0, tags: [], content: '{}' }));
    await client.publish(make({ kind: 1, content: '1' }));
    await client.publish(make({ kind: 1, content: '2' }));
    expect(relay.events().map((event) => event.kind)).toEqual(expect.arrayContaining([0, 1, 1]));
    expect(relay.events()).toHaveLength(3);
  });

  it('finds by ids, authors, kinds, since, until, tags and limit, newest first', async () => {
    const notes = [0, 1, 2, 3].map((i) =>
      make({ kind: 1, created_at: nowS + i, tags: [['t', `t${i % 2}`]] }),
    );
    for (const note of notes) await client.publish(note);
    const indexes = async (filter: Filter) =>
      (await query(client, filter)).map((event) => notes.findIndex((note) => note.id === event.id));
    expect(await indexes({ kinds: [1] })).toEqual([3, 2, 1, 0]);
    expect(await indexes({ kinds: [1], limit: 2 })).toEqual([3, 2]);
    expect(await indexes({ kinds: [1], limit: 0 })).toEqual([]);
    expect(await indexes({ since: nowS + 1, until: nowS + 2 })).toEqual([2, 1]);
    expect(await indexes({ '#t': ['t1'] })).toEqual([3, 1]);
    expect(await indexes({ ids: [notes[2]!.id] })).toEqual([2]);
    expect(await indexes({ authors: [getPublicKey(generateSecretKey())] })).toEqual([]);
  });

  it('passes ephemeral events on to live subscriptions, without storing them', async () => {
    const received = await live(client, { kinds: [24133], '#p': [author], limit: 0 });
    const event = make({ kind: 24133, tags: [['p', author]] });
    await client.publish(event);
    expect(received.map(({ id }) => id)).toEqual([event.id]);
    expect(relay.events()).toEqual([]);
    expect(await query(client, { kinds: [24133] })).toEqual([]);
  });

  it('applies tag filters to live events too', async () => {
    const listener = await connect(relay.url);
    const a = await live(listener, { kinds: [30078], '#d': ['a'] });
    const b = await live(listener, { kinds: [30078], '#d': ['b'] });
    const forA = make({ tags: [['d', 'a']] });
    await client.publish(forA);
    await client.publish(make({ tags: [['d', 'c']] }));
    await query(listener, { limit: 0 });
    expect(a.map(({ id }) => id)).toEqual([forA.id]);
    expect(b).toEqual([]);
    // Not merely dropped by the client's own check: nothing else was sent to it.
    const sent = frames.filter(({ direction, frame }) => direction === 'out' && frame[0] === 'EVENT');
    expect(sent).toHaveLength(1);
    listener.close();
  });

  it('keeps more than the package default of 20 subscriptions on one socket', async () => {
    const first = await live(client, { kinds: [1] });
    for (let i = 0; i < 30; i++) await live(client, { kinds: [7] });
    await client.publish(make({ kind: 1 }));
    expect(first).toHaveLength(1);
  });

  it('refuses a broken signature and survives malformed frames', async () => {
    const socket = new WebSocket(relay.url);
    await once(socket, 'open');
    const answers: unknown[][] = [];
    socket.on('message', (data) => answers.push(JSON.parse(data.toString()) as unknown[]));
    const good = make({});
    const bad = { ...make({ content: 'x' }), sig: good.sig };
    const { sig: _sig, ...unsigned } = good;
    const garbage = [
      '',
      '{',
      'null',
      '[]',
      '["EVENT"]',
      '["EVENT",null]',
      '["REQ"]',
      '["NOPE",1]',
      '["AUTH",1]',
    ];
    garbage.forEach((text) => socket.send(text));
    [
      ['EVENT', bad],
      ['EVENT', unsigned],
      ['REQ', 's', { kinds: 'x' }],
      ['REQ', 'after', { limit: 0 }],
    ].forEach((frame) => socket.send(JSON.stringify(frame)));
    while (answers.at(-1)?.[0] !== 'EOSE') await once(socket, 'message');
    expect(answers.filter(([type]) => type === 'NOTICE')).toHaveLength(garbage.length);
    expect(answers).toContainEqual(['OK', bad.id, false, expect.stringMatching(/^invalid: signature/)]);
    expect(answers).toContainEqual(['OK', good.id, false, expect.stringMatching(/^invalid: /)]);
    expect(answers).toContainEqual(['CLOSED', 's', expect.stringMatching(/^invalid: /)]);
    socket.send('x'.repeat(2 * 1024 * 1024));
    await once(socket, 'close');
    expect(await client.publish(good)).toBe('');
  });

  it('does not hold an earlier refusal of the same id against an event', async () => {
    const good = make({});
    const damaged = { ...good, sig: make({ content: 'x' }).sig };
    await expect(client.publish(damaged)).rejects.toThrow(/signature is wrong/);
    expect(await client.publish(good)).toBe('');
  });

  it('delivers an ephemeral event sent right behind the subscription to it', async () => {
    const socket = new WebSocket(relay.url);
    await once(socket, 'open');
    const received: unknown[] = [];
    socket.on('message', (data) => received.push((JSON.parse(data.toString()) as unknown[])[0]));
    // Without one queue for all frames the event overtakes the registration of the subscription and is lost.
    socket.send(JSON.stringify(['REQ', 's', { kinds: [24133] }]));
    socket.send(JSON.stringify(['EVENT', make({ kind: 24133 })]));
    while (!received.includes('OK')) await once(socket, 'message');
    expect(received).toEqual(['EOSE', 'EVENT', 'OK']);
    socket.terminate();
  });

  it('describes itself over HTTP (NIP-11)', async () => {
    const get = async (accept: string) => {
      const sent = request({ port: relay.port, host: '127.0.0.1', headers: { accept }, agent: false }).end();
      const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
      let body = '';
      for await (const chunk of response) body += String(chunk);
      return { status: response.statusCode, body };
    };
    const described = await get('application/nostr+json');
    expect(described.status).toBe(200);
    expect(JSON.parse(described.body)).toMatchObject({ supported_nips: [1, 11] });
    expect((await get('text/html')).status).toBe(426);
  });

  it('drops its connections and goes on', async () => {
    expect(relay.connections()).toBe(1);
    const closed = new Promise<void>((resolve) => (client.onclose = () => resolve()));
    relay.dropConnections();
    await closed;
    expect(relay.connections()).toBe(0);
    client = await connect(relay.url);
    expect(await client.publish(make({}))).toBe('');
  });

  it('says what to do when its port is taken', async () => {
    await expect(startRelay({ port: relay.port })).rejects.toThrow(
      /cannot listen on .*EADDRINUSE.*: stop what/,
    );
  });

  it('gives a link that finds its way back after a drop and a restart', async () => {
    await relay.stop();
    // Not one from the kernel's range: while the relay is stopped, a client of another test could get it.
    relay = await startRelay({ port: await freePort() });
    const received: string[] = [];
    const link = new RelayLink(relay.url, { kinds: [1] }, ({ id }) => received.push(id), 20);
    await link.ready;
    relay.dropConnections();
    await relay.stop();
    relay = await startRelay({ port: relay.port });
    const event = make({ kind: 1 });
    client = await connect(relay.url);
    await client.publish(event);
    await until(() => received.length > 0);
    expect(received).toEqual([event.id]);
    await link.close();
    expect(link.send(['CLOSE', 'x'])).toBe(false);
  });
});
