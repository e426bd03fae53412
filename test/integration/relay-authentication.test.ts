import { setTimeout as sleep } from 'node:timers/promises';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import type { SignedEvent } from '../../nostr/events';
import type { RelayIdentity } from '../../nostr/relays/identity';
import { RelayPool } from '../../nostr/relays/pool';
import { RelayPublisher } from '../../nostr/relays/publisher';
import { type BareRelay, startBareRelay } from '../support/bare-relay';
import { place } from '../support/place';

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
    information?: boolean;
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
      known.get(peer.index)?.add(event.pubkey);
      peer.send('OK', event.id, true, '');
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

function publisherOf(relays: { url: string }[]): RelayPublisher {
  const pool = new RelayPool({ connectTimeoutMs: 2_000 });
  const publisher = new RelayPublisher({
    pool,
    relays: relays.map(({ url }) => url),
    quorum: 'majority',
    replyTimeoutMs: 2_000,
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
    await sleep(50);
    expect(await place(publisher, make('fees:next'), { identity })).toMatchObject({ holding: 1 });
    expect(relay.countOf('AUTH')).toBe(2);
  });

  it('may know two operators on one connection', async () => {
    const relay = await membersOnly();
    const otherKey = generateSecretKey();
    const publisher = publisherOf([relay]);
    const placements = await Promise.all([
      place(publisher, make('fees:x'), { identity: identityOf() }),
      place(publisher, make('fees:x', otherKey), { identity: identityOf(otherKey) }),
    ]);
    expect(placements.map(({ holding }) => holding)).toEqual([1, 1]);
    expect(relay.countOf('AUTH')).toBe(2);
    expect(relay.connections()).toBe(1);
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
      detail: 'authentication failed: no challenge came',
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
});
