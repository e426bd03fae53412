import { setTimeout as sleep } from 'node:timers/promises';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import type { SignedEvent } from '../../nostr/events';
import type { RelayIdentity } from '../../nostr/relays/identity';
import type { RelayConnection } from '../../nostr/relays/connection';
import { RelayAuth } from '../../nostr/relays/relay-auth';
import { RelayPool } from '../../nostr/relays/pool';
import { RelayPublisher } from '../../nostr/relays/publisher';
import { type BarePeer, type BareRelay, startBareRelay } from '../support/bare-relay';
import { place } from '../support/place';
import { until } from '../support/until';

const secretKey = generateSecretKey();
const author = getPublicKey(secretKey);

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

function make(d = 'fees:x', key = secretKey): SignedEvent {
  const created_at = Math.floor(Date.now() / 1000);
  const signed = finalizeEvent({ kind: 30078, created_at, tags: [['d', d]], content: 'c' }, key);
  return JSON.parse(JSON.stringify(signed)) as SignedEvent;
}

/** A signer that counts what it is asked. */
function identityOf(key = secretKey, delayMs = 0): RelayIdentity & { asked: SignedEvent[] } {
  const asked: SignedEvent[] = [];
  return {
    pubkey: getPublicKey(key),
    asked,
    sign: async (event) => {
      await sleep(delayMs);
      const signed = JSON.parse(JSON.stringify(finalizeEvent({ ...event }, key))) as SignedEvent;
      asked.push(signed);
      return signed;
    },
  };
}

/** A relay for members (NIP-42): reads and writes only for keys that have answered its challenge. */
async function membersOnly(
  options: {
    admits?: (pubkey: string) => boolean;
    challengeAfterRefusal?: boolean;
    knowsOnlyTheLast?: boolean;
    /** What follows a login that is accepted. Absent: OK. */
    onLogin?: (peer: BarePeer, id: string, forget: () => void) => void;
  } = {},
): Promise<BareRelay> {
  const { admits = () => true, challengeAfterRefusal = false } = options;
  const known = new Map<number, Set<string>>();
  const challengeOf = (peer: { index: number }): string => `challenge-${peer.index}`;
  const refused = (peer: { index: number; send(...frame: unknown[]): void }): void => {
    if (challengeAfterRefusal) peer.send('AUTH', challengeOf(peer));
  };
  const relay = await startBareRelay({
    onConnect(peer) {
      known.set(peer.index, new Set());
      if (!challengeAfterRefusal) peer.send('AUTH', challengeOf(peer));
    },
    onAuth(event, peer) {
      const tags = Object.fromEntries(event.tags) as Record<string, string>;
      const isValid =
        event.kind === 22242 &&
        verifyEvent({ ...event }) &&
        tags.challenge === challengeOf(peer) &&
        tags.relay === relay.url;
      if (!isValid || !admits(event.pubkey))
        return peer.send('OK', event.id, false, 'restricted: not a member');
      if (options.knowsOnlyTheLast) known.get(peer.index)?.clear();
      known.get(peer.index)?.add(event.pubkey);
      if (options.onLogin) options.onLogin(peer, event.id, () => known.get(peer.index)?.clear());
      else peer.send('OK', event.id, true, '');
    },
    onEvent(event, peer, self) {
      if (!known.get(peer.index)?.has(event.pubkey)) {
        peer.send('OK', event.id, false, 'auth-required: members only');
        return refused(peer);
      }
      self.keep(event);
      peer.send('OK', event.id, true, '');
    },
    onRequest(subscription, filters, peer, self) {
      if (known.get(peer.index)?.size === 0) {
        peer.send('CLOSED', subscription, 'auth-required: members only');
        return refused(peer);
      }
      self.answer(subscription, filters, peer);
    },
  });
  cleanUp.push(() => relay.stop());
  return relay;
}

async function plain(): Promise<BareRelay> {
  const relay = await startBareRelay();
  cleanUp.push(() => relay.stop());
  return relay;
}

/** @param replyTimeoutMs longer than a busy process pauses, unless silence is what a test is about */
function publisherOf(relays: { url: string }[], replyTimeoutMs = 8_000): RelayPublisher {
  const pool = new RelayPool({ connectTimeoutMs: 8_000 });
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

describe('a relay that demands authentication (NIP-42)', () => {
  it.each([
    ['with the connection', false],
    ['with the refusal', true],
  ])(
    'is answered with the key of the operator when its challenge comes %s',
    async (_, challengeAfterRefusal) => {
      const relay = await membersOnly({ challengeAfterRefusal });
      const identity = identityOf();
      const event = make();
      expect(await place(publisherOf([relay]), event, { identity })).toMatchObject({
        holding: 1,
        relays: { [relay.url]: { state: 'holds' } },
      });
      expect(relay.stored).toEqual([event]);
      expect(identity.asked).toHaveLength(1);
    },
  );

  it('is answered once on a connection, however many documents come at the same time', async () => {
    const relay = await membersOnly();
    const identity = identityOf(secretKey, 200);
    const publisher = publisherOf([relay]);
    const address = { kind: 30078, pubkey: author, d: 'fees:0' };
    const [[seen], ...placements] = await Promise.all([
      publisher.look([address], identity),
      ...Array.from({ length: 10 }, (_, index) => place(publisher, make(`fees:${index}`), { identity })),
    ]);
    expect(seen?.get(relay.url)?.kind).not.toBe('unknown');
    expect(placements.map(({ holding }) => holding)).toEqual(Array(10).fill(1));
    expect(relay.countOf('AUTH')).toBe(1);
    // A new connection has a new challenge.
    relay.dropConnections();
    // The first may still be sent into a connection that is gone.
    await until(async () => (await place(publisher, make('fees:next'), { identity })).holding === 1);
    expect(relay.countOf('AUTH')).toBe(2);
  });

  it('and knows only the last who came on a connection has one for each operator', async () => {
    const relay = await membersOnly({ knowsOnlyTheLast: true });
    const others = [generateSecretKey(), generateSecretKey(), generateSecretKey()];
    const publisher = publisherOf([relay]);
    const identities = others.map((key) => identityOf(key, 20));
    for (const d of ['fees:x', 'fees:y', 'fees:z']) {
      const placements = await Promise.all(
        others.map((key, index) =>
          place(publisher, make(d, key), { identity: identities[index] as RelayIdentity }),
        ),
      );
      expect(placements.map(({ holding }) => holding)).toEqual([1, 1, 1]);
    }
    expect(identities.map(({ asked }) => asked.length)).toEqual([1, 1, 1]);
  });

  it('and refuses the key is out for good; the others make the quorum', async () => {
    const relay = await membersOnly({ admits: () => false });
    const identity = identityOf();
    const publisher = publisherOf([relay, await plain(), await plain()]);
    const placement = await place(publisher, make(), { identity });
    expect(placement).toMatchObject({ holding: 2, hopeless: false });
    expect(placement.relays[relay.url]).toEqual({
      state: 'refused',
      detail: 'authentication refused: restricted: not a member',
    });
    await place(publisher, make('fees:y'), { identity });
    // It was told once; asking again would not change its mind.
    expect(identity.asked).toHaveLength(1);
    expect(await place(publisherOf([relay]), make(), { identity })).toMatchObject({ hopeless: true });
  });

  it('is unreachable while the signer does not sign, and taken up when it does', async () => {
    const relay = await membersOnly();
    const identity = identityOf();
    const publisher = publisherOf([relay]);
    let isSilent = true;
    const sign: RelayIdentity['sign'] = (event) =>
      isSilent ? Promise.reject(new Error('the bunker did not answer')) : identity.sign(event);
    const first = await place(publisher, make(), { identity: { ...identity, sign } });
    expect(first).toMatchObject({ holding: 0, hopeless: false });
    expect(first.relays[relay.url]).toEqual({
      state: 'unreachable',
      detail: 'authentication failed: no signature for it: the bunker did not answer',
    });
    isSilent = false;
    expect(await place(publisher, make(), { identity: { ...identity, sign } })).toMatchObject({ holding: 1 });
  });

  it('and sends no challenge is not waited for for ever', async () => {
    const relay = await startBareRelay({
      onEvent: (event, peer) => peer.send('OK', event.id, false, 'auth-required: who are you?'),
    });
    cleanUp.push(() => relay.stop());
    const placement = await place(publisherOf([relay]), make(), { identity: identityOf() });
    expect(placement.relays[relay.url]).toEqual({
      state: 'unreachable',
      detail: "authentication failed: no challenge came; the relay's last words: auth-required: who are you?",
    });
  });

  it('gets its answer before the first event when it announces its demand (NIP-11)', async () => {
    const relay = await membersOnly();
    relay.information = JSON.stringify({ limitation: { auth_required: true } });
    const publisher = publisherOf([relay]);
    await publisher.limits();
    expect(await place(publisher, make(), { identity: identityOf() })).toMatchObject({ holding: 1 });
    expect(relay.received.map(([type]) => type).filter((type) => type !== 'CLOSE')).toEqual([
      'AUTH',
      'REQ',
      'EVENT',
      'REQ',
    ]);
  });

  it('as a gateway gets no answer: it would carry the path of the gateway, which is a secret', async () => {
    const relay = await membersOnly();
    const identity = identityOf();
    const gateway = { url: `nostrclient+${relay.url}/nostrclient/api/v1/canary` };
    const publisher = publisherOf([gateway]);
    await publisher.limits();
    expect(await place(publisher, make(), { identity })).toMatchObject({ holding: 0 });
    expect(identity.asked).toEqual([]);
    expect(relay.informationRequests).toBe(0);
  });

  it('in advance, refuses what it is told, and needs none is used without', async () => {
    const relay = await startBareRelay({
      onConnect: (peer) => peer.send('AUTH', 'challenge'),
      onAuth: (event, peer) => peer.send('OK', event.id, false, 'error: nobody is known here'),
    });
    cleanUp.push(() => relay.stop());
    relay.information = JSON.stringify({ limitation: { auth_required: true } });
    const identity = identityOf();
    const publisher = publisherOf([relay]);
    await publisher.limits();
    for (const d of ['fees:x', 'fees:y'])
      expect(await place(publisher, make(d), { identity })).toMatchObject({ holding: 1 });
    expect(identity.asked).toHaveLength(1);
  });

  it('and says nothing to the answer is taken to have understood it', async () => {
    const relay = await membersOnly({ onLogin: () => undefined });
    const identity = identityOf();
    const publisher = publisherOf([relay]);
    for (const d of ['fees:x', 'fees:y'])
      expect(await place(publisher, make(d), { identity })).toMatchObject({ holding: 1 });
    expect(identity.asked).toHaveLength(1);
  });

  it('as LNbits’ relay does: with a bare AUTH, and takes the answer as an EVENT only', async () => {
    const known = new Set<number>();
    const relay = await startBareRelay({
      onRequest(id, filters, peer, self) {
        if (!known.has(peer.index)) return peer.send('AUTH', 'challenge');
        self.answer(id, filters, peer);
      },
      onAuth: (_, peer) => peer.send('AUTH', 'challenge'),
      onEvent(event, peer, self) {
        if (event.kind === 22242) known.add(peer.index);
        if (!known.has(peer.index)) {
          peer.send('AUTH', 'challenge');
          return peer.send('OK', event.id, false, "Relay requires authentication for events of kind '30078'");
        }
        self.keep(event);
        peer.send('OK', event.id, true, '');
      },
    });
    cleanUp.push(() => relay.stop());
    const identity = identityOf();
    const publisher = publisherOf([relay]);
    const address = { kind: 30078, pubkey: author, d: 'fees:x' };
    expect((await publisher.look([address], identity))[0]?.get(relay.url)).toEqual({ kind: 'nothing' });
    expect(await place(publisher, make(), { identity })).toMatchObject({ holding: 1 });
    expect(identity.asked).toHaveLength(1);
  });

  it('again, because it has forgotten who came, is told once more', async () => {
    const forgets: (() => void)[] = [];
    const relay = await membersOnly({
      onLogin(peer, id, forget) {
        forgets.push(forget);
        peer.send('OK', id, true, '');
      },
    });
    const identity = identityOf(secretKey, 20);
    const publisher = publisherOf([relay]);
    expect(await place(publisher, make('fees:0'), { identity })).toMatchObject({ holding: 1 });
    for (const forget of forgets) forget();
    const placements = await Promise.all(
      Array.from({ length: 5 }, (_, index) => place(publisher, make(`fees:${index + 1}`), { identity })),
    );
    expect(placements.map(({ holding }) => holding)).toEqual([1, 1, 1, 1, 1]);
    expect(identity.asked).toHaveLength(2);
  });

  it('again, and takes one login on each connection, is connected to anew', async () => {
    const peers = new Set<number>();
    let forget = (): void => undefined;
    const relay = await membersOnly({
      onLogin(peer, id, forgetThis) {
        if (peers.has(peer.index)) forgetThis();
        peers.add(peer.index);
        forget = forgetThis;
        peer.send('OK', id, true, '');
      },
    });
    const identity = identityOf();
    const publisher = publisherOf([relay]);
    expect(await place(publisher, make('fees:0'), { identity })).toMatchObject({ holding: 1 });
    forget();
    expect(await place(publisher, make('fees:1'), { identity })).toMatchObject({ holding: 1 });
    // The first, once more, and the one of the new connection.
    expect(identity.asked).toHaveLength(3);
  });

  it('after each login costs two signatures, however many documents there are, and counts as refused', async () => {
    const relay = await membersOnly({
      onLogin(peer, id, forget) {
        forget();
        peer.send('OK', id, true, '');
      },
    });
    const identity = identityOf();
    const publisher = publisherOf([relay]);
    for (const d of ['fees:x', 'fees:y', 'fees:z']) {
      const placement = await place(publisher, make(d), { identity });
      expect(placement).toMatchObject({ holding: 0, hopeless: true });
      expect(placement.relays[relay.url]?.detail).toBe(
        'authentication refused: it asks who we are after each login',
      );
    }
    expect(identity.asked).toHaveLength(2);
  });

  it('and loses each connection after the login has a bounded number of signatures', async () => {
    const relay = await membersOnly();
    const identity = identityOf();
    const pool = new RelayPool({ connectTimeoutMs: 2_000 });
    cleanUp.push(() => pool.close());
    const auth = new RelayAuth({ pool, url: relay.url, replyTimeoutMs: 2_000, isAuthRequired: () => true });
    const lose = (connection: RelayConnection): Promise<void> => Promise.resolve(connection.close());
    for (let asked = 0; asked < 35; asked += 1) await auth.ask(identity, lose, () => false);
    expect(identity.asked).toHaveLength(30);
    expect(await auth.ask(identity, lose, () => true)).toEqual({
      refused: { kind: 'failed', reason: 'no signature for it: the relay has had 30 within a minute' },
    });
    expect(identity.asked).toHaveLength(30);
  });

  it('again, where the signer does not sign again, is not asked about at the signer with each document', async () => {
    let forget = (): void => undefined;
    const relay = await membersOnly({
      onLogin(peer, id, forgetThis) {
        forget = forgetThis;
        peer.send('OK', id, true, '');
      },
    });
    const identity = identityOf();
    let asked = 0;
    const sign: RelayIdentity['sign'] = (event) =>
      asked++ === 0 ? identity.sign(event) : Promise.reject(new Error('used up'));
    const publisher = publisherOf([relay]);
    expect(await place(publisher, make('fees:0'), { identity: { ...identity, sign } })).toMatchObject({
      holding: 1,
    });
    forget();
    for (const d of ['fees:x', 'fees:y', 'fees:z'])
      expect(await place(publisher, make(d), { identity: { ...identity, sign } })).toMatchObject({
        holding: 0,
      });
    expect(asked).toBe(2);
  });
});

describe('a relay’s last words', () => {
  const detailOn = async (relay: BareRelay): Promise<string | undefined> =>
    (await place(publisherOf([relay], 2_000), make())).relays[relay.url]?.detail;

  async function saying(script: Parameters<typeof startBareRelay>[0]): Promise<BareRelay> {
    const relay = await startBareRelay(script);
    cleanUp.push(() => relay.stop());
    return relay;
  }

  it.each<[string, Parameters<typeof startBareRelay>[0], string]>([
    [
      'in a NOTICE in place of OK',
      { onEvent: (_, peer) => peer.send('NOTICE', 'your key is blocked') },
      'no OK; the relay’s last words: your key is blocked',
    ],
    [
      'in a NOTICE in place of EOSE',
      { onRequest: (_, __, peer) => peer.send('NOTICE', 'this is a paid relay') },
      'no answer to a read; the relay’s last words: this is a paid relay',
    ],
    [
      'when it closes the connection',
      { onRequest: (_, __, peer) => peer.close(1008, 'too many reads') },
      'connection closed (1008); the relay’s last words: too many reads',
    ],
    [
      'before it is a relay',
      { onUpgrade: () => ({ status: 403 }) },
      'the relay answers HTTP 403 in place of a websocket',
    ],
  ])('%s are shown', async (_, script, detail) => {
    expect(await detailOn(await saying(script))).toBe(detail.replace('’', "'"));
  });

  it('before it is a relay say how long it wants to be left alone', async () => {
    let asked = 0;
    const relay = await saying({
      onUpgrade: () => ((asked += 1), { status: 429, headers: { 'retry-after': '60' } }),
    });
    const publisher = publisherOf([relay]);
    await place(publisher, make());
    // Longer than a relay is left alone that gives no time.
    await sleep(700);
    expect((await place(publisher, make())).relays[relay.url]?.detail).toContain('HTTP 429');
    expect(asked).toBe(1);
  });
});
