import { setTimeout as sleep } from 'node:timers/promises';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { startBunker } from '../../dev/bunker';
import { freePort } from '../../embedded/free-port';
import { startRelay } from '../../dev/relay';
import type { BunkerClient } from '../../nostr/bunker/client';
import type { SignedEvent } from '../../nostr/events';
import { type BareRelay, type BareScript, startBareRelay } from '../support/bare-relay';
import {
  SHORT_MS,
  operator,
  unsigned,
  refusal,
  opened,
  started,
  open,
  pair,
} from '../support/bunker-clients';
import { until } from '../support/until';

/** Enough time to reach a relay and to get its answer, also if the process is paused for a moment. */
const REACHED_MS = 3_000;

describe('the way to the bunker', () => {
  const bare = async (script: BareScript = {}, port?: number): Promise<BareRelay> => {
    const relay = await startBareRelay(script, port);
    started.push(relay);
    return relay;
  };
  /** As strfry does: ephemeral events are kept for a while, and found by those that come later. */
  const keepsAll: BareScript = {
    onEvent(event, peer, relay) {
      relay.stored.push(event);
      relay.broadcast(event);
      peer.send('OK', event.id, true, '');
    },
  };
  const fromClient = (event: SignedEvent, client: BunkerClient): boolean =>
    event.pubkey === client.clientPubkey;

  it('is found again when the relay cuts the connections in the middle of a request', async () => {
    let subscribed = 0;
    const relay = await startRelay({
      onMessage: (direction, _, [type]) => {
        if (direction === 'in' && type === 'REQ') subscribed += 1;
      },
    });
    started.push(relay);
    const { bunker, client } = await pair([relay.url]);
    let isCut = false;
    // An answer that nobody would hear is lost: not before both listen again.
    bunker.setFaults(() => ({ after: until(() => isCut && subscribed === 2) }));
    const request = client.signEvent(unsigned('over a broken line'));
    await until(() => bunker.requests.length === 2);
    relay.dropConnections();
    [isCut, subscribed] = [true, 0];
    expect(await request).toMatchObject({ content: 'over a broken line' });
    // The request was sent again as the same event, which the bunker has seen: it worked on it once.
    expect(bunker.requests).toHaveLength(2);
  });

  it('is used again for a request that the relay lost together with the connection', async () => {
    const relay = await bare();
    const { bunker, client } = await pair([relay.url]);
    let cut = 0;
    relay.script = {
      onEvent(event, peer) {
        if (fromClient(event, client) && cut++ < 1) return peer.drop();
        relay.keep(event);
      },
    };
    expect(await client.getPublicKey()).toBe(operator);
    expect([cut, bunker.requests.length]).toEqual([2, 2]);
  });

  it('is found when the relay is down at the start and comes up later', async () => {
    const port = await freePort();
    const url = `ws://127.0.0.1:${port}`;
    const bunkerKey = generateSecretKey();
    const client = open({ relays: [url], bunkerPubkey: getPublicKey(bunkerKey) });
    const request = client.connect('s');
    await sleep(300);
    await bare(keepsAll, port);
    started.push(await startBunker({ relays: [url], signerSecretKey: bunkerKey, secret: 's' }));
    await expect(request).resolves.toBeUndefined();
  });

  it('may be one relay of two', async () => {
    const relay = await bare();
    const dead = `ws://127.0.0.1:${await freePort()}`;
    const one = await pair([relay.url], {}, { relays: [dead, relay.url] });
    expect(await one.client.getPublicKey()).toBe(operator);
    // Over both, the bunker hears a request once.
    const second = await bare();
    const both = await pair([relay.url, second.url]);
    expect(await both.client.getPublicKey()).toBe(operator);
    expect(both.bunker.requests).toHaveLength(2);
  });

  it('is named without its path, which may be a secret', async () => {
    const dead = `ws://127.0.0.1:${await freePort()}`;
    const relays = [`${dead}/canary-path?token=canary`];
    const client = open({ relays, bunkerPubkey: operator, requestTimeoutMs: SHORT_MS });
    expect((await refusal(client.getPublicKey())).message).toContain(`${dead}/…: `);
  });

  it('that nobody can go is told apart from a bunker that is silent', async () => {
    const dead = `ws://127.0.0.1:${await freePort()}`;
    const client = open({ relays: [dead], bunkerPubkey: operator, requestTimeoutMs: SHORT_MS });
    const error = await refusal(client.getPublicKey());
    expect(error.type).toBe('SignerUnreachable');
    expect(error.message).toContain(`(${dead}: refused)`);
  });

  it('needs no OK, which some relays never send for ephemeral events', async () => {
    const relay = await bare({ onEvent: (event, _, self) => self.keep(event) });
    const { client } = await pair([relay.url]);
    expect(await client.signEvent(unsigned())).toMatchObject({ content: 'c' });
  });

  it('is tried again with the same event, and with longer pauses, when the relay asks for patience', async () => {
    const relay = await bare();
    const { bunker, client } = await pair([relay.url]);
    const sent: { id: string; atMs: number }[] = [];
    relay.script = {
      onEvent(event, peer) {
        if (!fromClient(event, client)) return relay.keep(event);
        sent.push({ id: event.id, atMs: Date.now() });
        if (sent.length <= 2) return peer.send('OK', event.id, false, 'rate-limited: slow down');
        relay.keep(event);
        peer.send('OK', event.id, true, '');
      },
    };
    expect(await client.getPublicKey()).toBe(operator);
    expect(new Set(sent.map(({ id }) => id)).size).toBe(1);
    const [first, second, third] = sent.map(({ atMs }) => atMs) as [number, number, number];
    expect(second - first).toBeGreaterThanOrEqual(350);
    expect(third - second).toBeGreaterThanOrEqual(700);
    expect(sent).toHaveLength(3);
    expect(bunker.requests).toHaveLength(2);
  });

  it('is not flooded because a relay answers one request with many refusals', async () => {
    const timers = jest.spyOn(globalThis, 'setTimeout');
    opened.push({ close: () => timers.mockRestore() });
    // The pauses before sending again are random, and so the only long ones with a fraction.
    const pauses = (): number =>
      timers.mock.calls.filter(([, ms = 0]) => ms > 300 && !Number.isInteger(ms)).length;
    const relay = await bare({
      onEvent: (event, peer) => {
        for (let time = 0; time < 50; time += 1) peer.send('OK', event.id, false, 'error: overloaded');
      },
    });
    const client = open({ relays: [relay.url], bunkerPubkey: operator });
    const refused = refusal(client.getPublicKey());
    await until(() => relay.countOf('EVENT') >= 3);
    // One for each time it was sent; the last sending may not be refused yet.
    const sent = relay.countOf('EVENT');
    expect([sent - 1, sent]).toContain(pauses());
    // The pauses double: no more can be sent in the time of a request.
    expect(sent).toBeLessThanOrEqual(5);
    client.close();
    expect((await refused).type).toBe('SignerUnreachable');
  });

  it('is judged by the answer also when the relay refuses the request and passes it on', async () => {
    const relay = await bare();
    const { client } = await pair([relay.url]);
    relay.script = {
      onEvent(event, peer) {
        peer.send('OK', event.id, false, 'blocked: not on the list');
        relay.keep(event);
      },
    };
    expect(await client.getPublicKey()).toBe(operator);
  });

  it.each([
    ['blocked: canary-plaintext', 'blocked'],
    ['rate-limited: canary-plaintext', 'rate-limited'],
    ['canary-plaintext', 'for a reason of its own'],
  ])(
    'is unreachable when all its relays refuse the request to the end (%s), and their own words are not repeated',
    async (reason, told) => {
      const relay = await bare({ onEvent: (event, peer) => peer.send('OK', event.id, false, reason) });
      const client = open({ relays: [relay.url], bunkerPubkey: operator, requestTimeoutMs: REACHED_MS });
      const error = await refusal(client.getPublicKey());
      expect(error.type).toBe('SignerUnreachable');
      expect(error.message).toContain(`refused get_public_key (${relay.url}: ${told})`);
    },
  );

  it('is silent, not refused, while one of two relays took the request', async () => {
    const takes = await bare({ onEvent: (event, peer) => peer.send('OK', event.id, true, '') });
    const refuses = await bare({ onEvent: (event, peer) => peer.send('OK', event.id, false, 'blocked: no') });
    const client = open({
      relays: [takes.url, refuses.url],
      bunkerPubkey: operator,
      requestTimeoutMs: 4_000,
    });
    expect((await refusal(client.getPublicKey())).type).toBe('SignerTimeout');
    expect([takes.countOf('EVENT'), refuses.countOf('EVENT')]).toEqual([1, 1]);
  });

  it('is taken again when the relay ends the subscription', async () => {
    const relay = await bare();
    const { bunker } = await pair([relay.url]);
    let refused = 0;
    relay.script = {
      onRequest(subscription, filters, peer) {
        if (refused++ < 1) return peer.send('CLOSED', subscription, 'error: shutting down');
        relay.answer(subscription, filters, peer);
      },
    };
    const client = open({ relays: [relay.url], bunkerPubkey: bunker.signerPubkey });
    expect((await refusal(client.getPublicKey())).message).toContain('does not know or allow this client');
    expect(refused).toBe(2);
  });

  it('is not there when the relay refuses every subscription, since no answer could be heard', async () => {
    const relay = await bare({
      onRequest: (id, _, peer) => peer.send('CLOSED', id, 'auth-required: members only'),
    });
    const client = open({ relays: [relay.url], bunkerPubkey: operator, requestTimeoutMs: REACHED_MS });
    const error = await refusal(client.getPublicKey());
    expect(error.type).toBe('SignerUnreachable');
    expect(error.message).toContain('subscription refused: auth-required');
    expect(relay.countOf('EVENT')).toBe(0);
  });

  it('is open before long when the relay sends no EOSE', async () => {
    const relay = await bare();
    const { bunker } = await pair([relay.url]);
    relay.script = { onRequest: () => undefined };
    const client = open({ relays: [relay.url], bunkerPubkey: bunker.signerPubkey });
    expect((await refusal(client.getPublicKey())).message).toContain('does not know or allow this client');
  });

  it('hears an answer that the relay kept while the line was down', async () => {
    const relay = await bare(keepsAll);
    const { bunker, client } = await pair([relay.url]);
    let cut = false;
    relay.script = {
      onEvent(event, peer, self) {
        relay.stored.push(event);
        if (fromClient(event, client)) return self.broadcast(event);
        // The bunker's answer arrives when nobody listens.
        if (!cut) relay.dropConnections();
        cut = true;
        peer.send('OK', event.id, true, '');
      },
    };
    expect(await client.getPublicKey()).toBe(operator);
    expect(bunker.requests).toHaveLength(2);
  });

  it('cannot be turned by a relay that sends the request back in the bunker’s name', async () => {
    // The key of NIP-44 is the same in both directions, so this decrypts; only the signature would tell.
    const relay = await bare();
    const { bunker, client } = await pair([relay.url]);
    let reflected = 0;
    relay.script = {
      onEvent(event) {
        if (fromClient(event, client)) {
          reflected += 1;
          relay.broadcast({ ...event, pubkey: bunker.signerPubkey, tags: [['p', client.clientPubkey]] });
        }
        relay.keep(event);
      },
    };
    expect(await client.signEvent(unsigned())).toMatchObject({ content: 'c' });
    expect(reflected).toBe(1);
  });
});
