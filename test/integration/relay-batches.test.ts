import { matchFilters } from 'nostr-tools/filter';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startRelay } from '../../dev/relay';
import type { Address, SignedEvent } from '../../nostr/events';
import { RelayPool } from '../../nostr/relays/pool';
import { RelayPublisher } from '../../nostr/relays/publisher';
import type { Seen, SentDocument } from '../../nostr/relays/seen';
import { shownBy } from '../../rules/quorum';
import { type BareRelay, type BareScript, startBareRelay } from '../support/bare-relay';
import { until } from '../support/until';

const secretKey = generateSecretKey();
const pubkey = getPublicKey(secretKey);
const nowS = Math.floor(Date.now() / 1000);

function make(d: string): SignedEvent {
  const signed = finalizeEvent({ kind: 30078, created_at: nowS, tags: [['d', d]], content: 'c' }, secretKey);
  // Without the verdict that nostr-tools keeps on the object.
  return JSON.parse(JSON.stringify(signed)) as SignedEvent;
}
const dOf = (index: number): string => `fees:${index}`;
const events = Array.from({ length: 100 }, (_, index) => make(dOf(index)));
const addresses = events.map((_, index): Address => ({ kind: 30078, pubkey, d: dOf(index) }));

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

/** A real relay, and the frames that it takes and sends. */
async function dev(): Promise<{ url: string; frames: unknown[][]; filtersOf(): unknown[][] }> {
  const frames: unknown[][] = [];
  const relay = await startRelay({ onMessage: (_, __, frame) => frames.push(frame) });
  cleanUp.push(() => relay.stop());
  return { url: relay.url, frames, filtersOf: () => requestsIn(frames) };
}
async function bare(script: BareScript = {}, ...stored: SignedEvent[]): Promise<BareRelay> {
  const relay = await startBareRelay(script);
  relay.stored.push(...stored);
  cleanUp.push(() => relay.stop());
  return relay;
}
/** @param replyTimeoutMs where a test waits until it is over; otherwise no machine needs so long */
function publisherOf(relays: { url: string }[], replyTimeoutMs = 30_000): RelayPublisher {
  const pool = new RelayPool({ connectTimeoutMs: 15_000 });
  const publisher = new RelayPublisher({
    pool,
    relays: relays.map(({ url }) => url),
    quorum: 'majority',
    replyTimeoutMs,
  });
  cleanUp.push(() => {
    publisher.close();
    pool.close();
  });
  return publisher;
}

/** The filters of each REQ. */
const requestsIn = (frames: unknown[][]): unknown[][] =>
  frames.flatMap(([type, , ...filters]) => (type === 'REQ' ? [filters] : []));
const kindsOn = (seen: Seen[], { url }: { url: string }): (string | undefined)[] =>
  seen.map((each) => each.get(url)?.kind);
const sendAll = (publisher: RelayPublisher, each = events): Promise<SentDocument[]> =>
  Promise.all(each.map(async (event) => ({ event, sent: await publisher.send(event) })));

describe('a page of a hundred documents', () => {
  it('is looked for, sent and read back in ten REQs each, with the filters of its machines', async () => {
    const relay = await dev();
    const publisher = publisherOf([relay]);
    expect(kindsOn(await publisher.look(addresses), relay)).toEqual(addresses.map(() => 'nothing'));
    expect(relay.filtersOf()).toHaveLength(10);

    const placements = await publisher.confirm(await sendAll(publisher));
    expect(placements.map(({ holding }) => holding)).toEqual(events.map(() => 1));
    const readBack = relay.filtersOf().slice(10);
    // What is late is asked for once more.
    const whole = readBack.filter(({ length }) => length === 10).map((filters) => JSON.stringify(filters));
    expect([readBack.length >= 10, new Set(whole).size]).toEqual([true, 10]);

    const seen = await publisher.look(addresses);
    expect(seen.map((each) => each.get(relay.url))).toEqual(
      events.map((event) => ({ kind: 'event', event })),
    );
    const filters = addresses.map(({ d }) => ({ kinds: [30078], authors: [pubkey], '#d': [d] }));
    expect(relay.filtersOf().slice(0, 10).flat()).toEqual(filters);
    expect(
      relay
        .filtersOf()
        .slice(10 + readBack.length)
        .flat(),
    ).toEqual(filters);
  });

  it('has at most four REQs open on a relay, also where several pages ask', async () => {
    let [open, most] = [0, 0];
    const relay = await bare({
      onRequest(id, filters, peer, self) {
        most = Math.max(most, (open += 1));
        setTimeout(() => {
          open -= 1;
          self.answer(id, filters, peer);
        }, 20);
      },
    });
    const publisher = publisherOf([relay]);
    await Promise.all([publisher.look(addresses), publisher.look(addresses), publisher.look(addresses)]);
    expect(relay.countOf('REQ')).toBe(30);
    expect(most).toBe(4);
  });

  it('is not read back where a look has seen it, and not sent there', async () => {
    const [has, hasNot] = [await bare({}, ...events), await bare()];
    const publisher = publisherOf([has, hasNot]);
    const looked = await publisher.look(addresses);
    const sent = await Promise.all(
      events.map(async (event, index) => {
        const seen = looked[index];
        return { event, seen, sent: await publisher.send(event, { seen }) };
      }),
    );
    const placements = await publisher.confirm(sent);
    expect(placements).toEqual(
      events.map(() => expect.objectContaining({ holding: 2, stoodAlready: false }) as unknown),
    );
    expect([has.countOf('EVENT'), hasNot.countOf('EVENT')]).toEqual([0, 100]);
    // An OK that is late is read back once more.
    expect([has.countOf('REQ'), hasNot.countOf('REQ') >= 20]).toEqual([10, true]);
    const again = await publisher.confirm(sent.map(({ event }) => ({ event })));
    expect(again.map(({ holding }) => holding)).toEqual(events.map(() => 2));
  });

  it('is judged document by document', async () => {
    const relay = await bare({
      onEvent(event, peer, self) {
        const index = events.findIndex(({ id }) => id === event.id);
        if (index === 3) return peer.send('OK', event.id, false, 'blocked: not this one');
        if (index !== 5) self.keep(event);
        peer.send('OK', event.id, true, '');
      },
    });
    const publisher = publisherOf([relay]);
    const placements = await publisher.confirm(await sendAll(publisher, events.slice(0, 20)));
    const states = placements.map(({ relays }) => relays[relay.url]?.state);
    expect(states).toEqual(
      states.map((_, index) => (index === 3 ? 'refused' : index === 5 ? 'absent' : 'holds')),
    );
    expect(placements.map(({ hopeless }) => hopeless).indexOf(true)).toBe(3);
  });

  it('of nothing is answered at once', async () => {
    const relay = await bare({ onRequest: () => undefined });
    const publisher = publisherOf([relay]);
    expect(await publisher.look([])).toEqual([]);
    expect(await publisher.confirm([])).toEqual([]);
    expect(relay.received).toEqual([]);
  });
});

describe('a relay that takes fewer filters', () => {
  const one: BareScript['onRequest'] = (id, filters, peer, relay) => relay.answer(id, filters, peer);
  const refusing = (refuse: BareScript['onRequest']): BareScript => ({
    onRequest: (id, filters, peer, relay) => (filters.length > 1 ? refuse : one)?.(id, filters, peer, relay),
  });

  it('and says so (NIP-11) is asked with as many', async () => {
    const relay = await bare({}, ...events);
    relay.information = JSON.stringify({ limitation: { max_filters: 3 } });
    const publisher = publisherOf([relay]);
    await publisher.limits();
    expect(kindsOn(await publisher.look(addresses), relay)).toEqual(events.map(() => 'event'));
    expect(Math.max(...requestsIn(relay.received).map(({ length }) => length))).toBe(3);
    expect(relay.countOf('REQ')).toBe(34);
  });

  it.each<[string, BareScript['onRequest']]>([
    ['closes a REQ with more', (id, _, peer) => peer.send('CLOSED', id, 'error: too many filters')],
    [
      'closes it in words of another kind',
      (id, _, peer) => peer.send('CLOSED', id, 'rate-limited: REQ exceeds max filter count 1'),
    ],
    ['sends a NOTICE for it', (_, __, peer) => peer.send('NOTICE', 'ERROR: bad req: arr too big')],
    ['passes over it in silence', () => undefined],
  ])('and %s is asked with one, and is not asked with more again', async (_, refuse) => {
    const relay = await bare(refusing(refuse), ...events);
    const publisher = publisherOf([relay], 6_000);
    const seen = await publisher.look(addresses);
    expect(seen.map((each) => each.get(relay.url))).toEqual(
      events.map((event) => ({ kind: 'event', event })),
    );
    expect(publisher.hasQuorum(seen[99] ?? new Map())).toBe(true);
    const tried = requestsIn(relay.received).filter(({ length }) => length > 1).length;
    expect(tried).toBeGreaterThan(0);
    expect(tried).toBeLessThanOrEqual(4);
    const before = relay.countOf('REQ');
    await publisher.look(addresses);
    expect(relay.countOf('REQ')).toBe(before + 100);
    expect(requestsIn(relay.received).filter(({ length }) => length > 1)).toHaveLength(tried);
  });

  it('is told from one that answers nothing at all', async () => {
    const relay = await bare({ onRequest: () => undefined });
    const replyTimeoutMs = 1_000;
    const publisher = publisherOf([relay], replyTimeoutMs);
    const startedAtMs = Date.now();
    const seen = await publisher.look(addresses);
    // After the time of a few questions: one for each address would be a hundred times that.
    expect(Date.now() - startedAtMs).toBeLessThan(20 * replyTimeoutMs);
    expect(seen.map((each) => each.get(relay.url))).toEqual(
      addresses.map(() => ({ kind: 'unknown', reason: 'no answer to a read', isSilent: true })),
    );
    expect(seen.some((each) => publisher.hasQuorum(each))).toBe(false);
  });
});

describe('what a relay shows', () => {
  it('counts where no EOSE comes, and what it does not show is unknown', async () => {
    const relay = await bare({
      onRequest: (id, _, peer) => events.slice(0, 3).forEach((event) => peer.send('EVENT', id, event)),
    });
    const publisher = publisherOf([relay], 4_000);
    const seen = await publisher.look(addresses.slice(0, 5));
    expect(seen.map((each) => shownBy(each.get(relay.url)))).toEqual([
      ...events.slice(0, 3),
      undefined,
      undefined,
    ]);
    // Whether there is a newer one, nobody has said.
    expect(seen.some((each) => publisher.hasQuorum(each))).toBe(false);
  });

  it('counts where the REQ is closed behind it', async () => {
    const [event] = events as [SignedEvent];
    const relay = await bare({
      onRequest(id, _, peer) {
        peer.send('EVENT', id, event);
        peer.send('CLOSED', id, 'error: shutting down');
      },
    });
    const seen = await publisherOf([relay]).look(addresses.slice(0, 2));
    expect(seen.map((each) => each.get(relay.url))).toEqual([
      { kind: 'unknown', reason: 'read refused: error: shutting down', event },
      { kind: 'unknown', reason: 'read refused: error: shutting down' },
    ]);
  });

  it('behind an EOSE that comes too early is waited for a moment when it was taken', async () => {
    const relay = await bare({
      onRequest(id, filters, peer, self) {
        peer.send('EOSE', id);
        self.answer(id, filters, peer);
      },
    });
    const publisher = publisherOf([relay]);
    const placements = await publisher.confirm(await sendAll(publisher, events.slice(0, 3)));
    expect(placements.map(({ holding }) => holding)).toEqual([1, 1, 1]);
  });

  it('is proof without an end: what has come is not waited for until the time is over', async () => {
    const relay = await bare({
      onRequest(id, filters, peer, self) {
        for (const event of self.stored.filter((each) => matchFilters(filters, each)))
          peer.send('EVENT', id, event);
      },
    });
    const [replyTimeoutMs, startedAtMs] = [40_000, Date.now()];
    const publisher = publisherOf([relay], replyTimeoutMs);
    const placements = await publisher.confirm(await sendAll(publisher, events.slice(0, 30)));
    expect(placements.map(({ holding }) => holding)).toEqual(Array(30).fill(1));
    expect(Date.now() - startedAtMs).toBeLessThan(replyTimeoutMs / 2);
  });

  it('is proof where the REQ is closed behind it', async () => {
    const relay = await bare({
      onRequest(id, filters, peer, self) {
        for (const event of self.stored.filter((each) => matchFilters(filters, each)))
          peer.send('EVENT', id, event);
        peer.send('CLOSED', id, 'error: that is all');
      },
    });
    const publisher = publisherOf([relay]);
    const placements = await publisher.confirm(await sendAll(publisher, events.slice(0, 3)));
    expect(placements.map(({ holding }) => holding)).toEqual([1, 1, 1]);
  });

  it('after each filter, with an EOSE for each, is asked for one by one', async () => {
    // LNbits' relay does so.
    const relay = await bare(
      {
        onRequest: (id, filters, peer, self) => filters.forEach((filter) => self.answer(id, [filter], peer)),
      },
      ...events,
    );
    const publisher = publisherOf([relay]);
    expect(kindsOn(await publisher.look(addresses.slice(0, 5)), relay)).toEqual(Array(5).fill('event'));
    expect(kindsOn(await publisher.look(addresses), relay)).toEqual(Array(100).fill('event'));
    expect(
      requestsIn(relay.received)
        .slice(-100)
        .map((filters) => filters.length),
    ).toEqual(Array(100).fill(1));
  });

  it('in its words, where it answers with nothing else', async () => {
    const relay = await bare({
      onRequest: (_, __, peer) => peer.send('NOTICE', 'closed for maintenance'),
    });
    const seen = await publisherOf([relay], 3_000).look(addresses.slice(0, 1));
    expect(seen[0]?.get(relay.url)).toEqual({
      kind: 'unknown',
      reason: "no answer to a read; the relay's last words: closed for maintenance",
      isSilent: true,
    });
  });
});

describe('a live broadcast is no proof of storage', () => {
  /**
   * Shows an event after a while to whoever has asked by then, says OK, and forgets it; it answers questions
   * as slowly.
   */
  const forgets = (saysOk: boolean): BareScript => ({
    onEvent: (event, peer, relay) =>
      void setTimeout(() => {
        relay.broadcast(event);
        if (saysOk) peer.send('OK', event.id, true, '');
      }, 300).unref(),
    onRequest: (id, filters, peer, relay) =>
      void setTimeout(() => relay.answer(id, filters, peer), 500).unref(),
  });

  it('the REQ of a confirm comes after the OK, also where the sender has not waited for it', async () => {
    const relay = await bare(forgets(true));
    const publisher = publisherOf([relay]);
    const [event] = events as [SignedEvent];
    const sending = publisher.send(event);
    await until(() => relay.countOf('EVENT') === 1);
    const [placement] = await publisher.confirm([
      { event, sent: new Map([[relay.url, { kind: 'silent' }]]) },
    ]);
    expect(placement?.relays[relay.url]?.state).toBe('absent');
    expect(Object.fromEntries(await sending)).toEqual({ [relay.url]: { kind: 'ok', message: '' } });
  });

  it('also where both have waited for the connection', async () => {
    const relay = await bare(forgets(true));
    const publisher = publisherOf([relay]);
    const [event] = events as [SignedEvent];
    const sending = publisher.send(event);
    const [placement] = await publisher.confirm([
      { event, sent: new Map([[relay.url, { kind: 'silent' }]]) },
    ]);
    expect(placement?.relays[relay.url]?.state).toBe('absent');
    await sending;
  });

  it('and a second after the EVENT, where none comes', async () => {
    const relay = await bare(forgets(false));
    const publisher = publisherOf([relay], 5_000);
    const [event] = events as [SignedEvent];
    const sent = await publisher.send(event);
    expect(Object.fromEntries(sent)).toEqual({ [relay.url]: { kind: 'silent' } });
    const [placement] = await publisher.confirm([{ event, sent }]);
    expect(placement?.relays[relay.url]).toEqual({ state: 'absent', detail: 'no OK' });
  });
});

describe('an OK that comes late', () => {
  it('is waited for by confirm, and then the document is found', async () => {
    let takeIt: () => void = () => undefined;
    const relay = await bare({
      onEvent: (taken, peer, self) =>
        void (takeIt = () => {
          self.keep(taken);
          peer.send('OK', taken.id, true, 'at last');
        }),
    });
    const publisher = publisherOf([relay]);
    const [event] = events as [SignedEvent];
    const sent = await publisher.send(event);
    expect(sent.get(relay.url)).toEqual({ kind: 'silent' });
    const confirming = publisher.confirm([{ event, sent }]);
    // It was looked for again and again.
    await until(() => relay.countOf('REQ') === 5);
    takeIt();
    expect(await confirming).toMatchObject([{ holding: 1 }]);
    await until(() => sent.get(relay.url)?.kind === 'ok');
    expect(sent.get(relay.url)).toEqual({ kind: 'ok', message: 'at last' });
  });

  it('and refuses is noted', async () => {
    const relay = await bare({
      onEvent: (event, peer) =>
        void setTimeout(() => peer.send('OK', event.id, false, 'blocked: no'), 1_300).unref(),
    });
    const publisher = publisherOf([relay]);
    const [event] = events as [SignedEvent];
    const sent = await publisher.send(event);
    await until(() => sent.get(relay.url)?.kind === 'refused');
    const [placement] = await publisher.confirm([{ event, sent }]);
    expect(placement).toMatchObject({
      hopeless: true,
      relays: { [relay.url]: { state: 'refused', detail: 'blocked: no' } },
    });
    expect(relay.countOf('REQ')).toBe(0);
  });

  it('of a relay that is known for it holds up no further send', async () => {
    const relay = await bare({ onEvent: (event, _, self) => self.keep(event) });
    const others = [await bare(), await bare()];
    const publisher = publisherOf([relay, ...others]);
    await publisher.send(events[0] as SignedEvent);
    const sent = await publisher.send(events[1] as SignedEvent);
    expect([...sent.values()].map(({ kind }) => kind).sort()).toEqual(['ok', 'ok', 'silent']);
    const [placement] = await publisher.confirm([{ event: events[1] as SignedEvent, sent }]);
    // It is read back no sooner than a second after the EVENT, and a known laggard is not waited for that
    // long. Had the send waited for its OK, the second would be over, and it would be read back.
    expect(placement).toMatchObject({
      holding: 2,
      relays: { [relay.url]: { state: 'unreachable', detail: 'no answer yet' } },
    });
  });
});
