import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from 'nostr-tools/core';
import { decrypt as nip04Decrypt } from 'nostr-tools/nip04';
import { decrypt, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { BunkerSigner, parseBunkerInput } from 'nostr-tools/nip46';
import type { BunkerPointer } from 'nostr-tools/nip46';
import { SimplePool, useWebSocketImplementation } from 'nostr-tools/pool';
import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import WebSocket from 'ws';
import { startBunker } from '../../dev/bunker';
import type { BunkerOptions, DevBunker } from '../../dev/bunker';
import type { FaultAction } from '../../dev/bunker-faults';
import { startRelay } from '../../dev/relay';
import { RelayLink } from '../../dev/relay-link';
import type { DevRelay } from '../../dev/relay';
import { until } from '../support/until';

useWebSocketImplementation(WebSocket);

interface Answer {
  id?: string;
  result?: string;
  error?: string;
  /** The decrypted text, or undefined when NIP-44 does not open it. */
  text?: string;
  event: Event;
}

/** The plainest of clients: it sees every answer event, also those that no sensible client survives. */
class RawClient {
  readonly answers: Answer[] = [];
  readonly pubkey: string;
  private readonly conversationKey: Uint8Array;
  private serial = 0;

  constructor(
    private readonly links: RelayLink[],
    private readonly signerPubkey: string,
    readonly secretKey: Uint8Array,
  ) {
    this.pubkey = getPublicKey(secretKey);
    this.conversationKey = getConversationKey(secretKey, signerPubkey);
  }

  receive(event: Event): void {
    if (this.answers.some((answer) => answer.event.id === event.id)) return;
    try {
      const text = decrypt(event.content, this.conversationKey);
      const value: unknown = text.startsWith('{') ? JSON.parse(text) : {};
      this.answers.push({ ...(value as Partial<Answer>), text, event });
    } catch {
      this.answers.push({ event });
    }
  }

  send(method: string, params: string[]): string {
    const id = `raw-${this.serial++}`;
    const content = encrypt(JSON.stringify({ id, method, params }), this.conversationKey);
    const tags = [['p', this.signerPubkey]];
    const created_at = Math.floor(Date.now() / 1000);
    const event = finalizeEvent({ kind: 24133, created_at, tags, content }, this.secretKey);
    this.links.forEach((link) => link.send(['EVENT', event]));
    return id;
  }

  async until(count: number): Promise<Answer[]> {
    for (let waitedMs = 0; this.answers.length < count; waitedMs += 5) {
      if (waitedMs > 5_000) throw new Error(`${this.answers.length} of ${count} answers after 5 s`);
      await sleep(5);
    }
    return this.answers;
  }

  async ask(method: string, params: string[]): Promise<Answer> {
    this.answers.length = 0;
    this.send(method, params);
    return (await this.until(1))[0]!;
  }
}

describe('development bunker', () => {
  let relays: DevRelay[];
  let bunker: DevBunker;
  let pool: SimplePool;
  const links: RelayLink[] = [];

  const start = async (options: Partial<BunkerOptions> = {}) => {
    bunker = await startBunker({ relays: relays.map(({ url }) => url), ...options });
    await bunker.ready;
  };
  const pointer = async () => (await parseBunkerInput(bunker.uri())) as BunkerPointer;
  const signer = async (secretKey = generateSecretKey(), onauth?: (url: string) => void) =>
    BunkerSigner.fromBunker(secretKey, await pointer(), { pool, ...(onauth ? { onauth } : {}) });

  /** @param pair connects with the secret first */
  const rawClient = async (pair = true): Promise<RawClient> => {
    const secretKey = generateSecretKey();
    const filter = { kinds: [24133], '#p': [getPublicKey(secretKey)], limit: 0 };
    const own: RelayLink[] = relays.map(
      ({ url }) => new RelayLink(url, filter, (event) => client.receive(event)),
    );
    const client = new RawClient(own, bunker.signerPubkey, secretKey);
    links.push(...own);
    await Promise.all(own.map((link) => link.ready));
    if (pair) {
      const { secret } = await pointer();
      expect(await client.ask('connect', [bunker.signerPubkey, secret ?? ''])).toMatchObject({
        result: 'ack',
      });
      client.answers.length = 0;
    }
    return client;
  };
  const template = (content = 'c') => ({
    pubkey: bunker.userPubkey,
    kind: 30078,
    created_at: 1_800_000_000,
    tags: [['d', 'fees:x']],
    content,
  });
  const once = (action: FaultAction, method = 'ping') => {
    let done = false;
    bunker.setFaults((request) => {
      if (done || request.method !== method) return undefined;
      done = true;
      return action;
    });
  };

  beforeEach(async () => {
    relays = [await startRelay(), await startRelay()];
    pool = new SimplePool();
  });

  afterEach(async () => {
    await Promise.all(links.splice(0).map((link) => link.close()));
    await bunker.stop();
    pool.destroy();
    await Promise.all(relays.map((relay) => relay.stop()));
  });

  it('pairs with one client for ever', async () => {
    await start({ secret: 's&cret' });
    expect(bunker.uri()).toMatch(
      new RegExp(`^bunker://${bunker.signerPubkey}\\?relay=ws.*&secret=s%26cret$`),
    );
    expect(bunker.signerPubkey).not.toBe(bunker.userPubkey);
    const clientKey = generateSecretKey();
    const [first, second] = [await signer(clientKey), await signer()];
    await expect(second.ping()).rejects.toBe('unauthorized');
    await first.connect();
    await first.connect();
    expect(await first.getPublicKey()).toBe(bunker.userPubkey);
    await expect(second.connect()).rejects.toMatch(/secret already used/);
    await expect(second.getPublicKey()).rejects.toBe('unauthorized');
    expect([...bunker.authorisedClients]).toEqual([getPublicKey(clientKey)]);
    const wrong = await rawClient(false);
    expect(await wrong.ask('connect', [bunker.signerPubkey, 'guess'])).toMatchObject({
      error: 'invalid secret',
    });
    expect(await wrong.ask('connect', [wrong.pubkey, 's&cret'])).toMatchObject({
      error: 'connect names another remote signer',
    });
  });

  it('encrypts, decrypts and signs for the user', async () => {
    await start();
    const client = await signer();
    await client.connect();
    await client.ping();
    const atm = generateSecretKey();
    const ciphertext = await client.nip44Encrypt(getPublicKey(atm), 'state');
    expect(decrypt(ciphertext, getConversationKey(atm, bunker.userPubkey))).toBe('state');
    expect(await client.nip44Decrypt(getPublicKey(atm), ciphertext)).toBe('state');
    const signed = await client.signEvent(template());
    expect(verifyEvent({ ...signed })).toBe(true);
    expect(signed).toMatchObject(template());
    expect(bunker.requests.map(({ method }) => method)).toEqual([
      'connect',
      'ping',
      'nip44_encrypt',
      'nip44_decrypt',
      'sign_event',
    ]);
  });

  it('answers what it does not know, cannot do or should ignore', async () => {
    await start();
    const client = await rawClient();
    expect(await client.ask('switch_relays', [])).toMatchObject({ result: 'null' });
    expect(await client.ask('nip04_encrypt', ['', ''])).toMatchObject({
      error: expect.stringMatching(/^unsupported method/) as unknown,
    });
  });

  it('ignores a template without pubkey, and refuses a foreign one', async () => {
    await start();
    const client = await rawClient();
    const { pubkey: _pubkey, ...without } = template();
    client.send('sign_event', [JSON.stringify(without)]);
    client.send('sign_event', [JSON.stringify({ ...template(), pubkey: client.pubkey })]);
    client.send('sign_event', ['{']);
    client.send('nip44_encrypt', ['nobody', 'x']);
    const answers = await client.until(3);
    await sleep(50);
    expect(answers.map(({ id }) => id)).toEqual(['raw-2', 'raw-3', 'raw-4']);
    expect(answers.map(({ error }) => error)).toEqual([
      expect.stringMatching(/another public key/),
      expect.stringMatching(/^sign_event failed/),
      expect.stringMatching(/^nip44_encrypt failed/),
    ]);
  });

  it('works on a request once, although every relay delivers it', async () => {
    await start();
    const client = await rawClient();
    await client.ask('ping', []);
    await sleep(50);
    expect(bunker.requests.map(({ method, clientPubkey }) => [method, clientPubkey])).toEqual([
      ['connect', client.pubkey],
      ['ping', client.pubkey],
    ]);
    expect(client.answers).toHaveLength(1);
  });

  it('answers side by side, or as many at once as it is told', async () => {
    // One after the other they would take twenty times as long, which no busy machine does.
    await start({ answerDelayMs: 1_000 });
    const wide = await rawClient();
    const startedAtMs = Date.now();
    for (let i = 0; i < 20; i++) wide.send('ping', []);
    await wide.until(20);
    expect(Date.now() - startedAtMs).toBeLessThan(10_000);
    await bunker.stop();

    await start({ answerDelayMs: 50, concurrency: 2 });
    const narrow = await rawClient();
    const againAtMs = Date.now();
    for (let i = 0; i < 6; i++) narrow.send('ping', []);
    const answers = await narrow.until(6);
    expect(Date.now() - againAtMs).toBeGreaterThanOrEqual(145);
    expect(answers.map(({ id }) => id)).toEqual([1, 2, 3, 4, 5, 6].map((i) => `raw-${i}`));
  });

  it('loses what arrives or is in work while it is paused', async () => {
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    await start({ onRequest: ({ id }) => (id === 'raw-1' ? released : undefined) });
    const client = await rawClient();
    // It hears what the bunker would hear, by the same relays and later in their lists.
    const heard: string[] = [];
    const filter = { kinds: [24133], '#p': [bunker.signerPubkey], limit: 0 };
    const witnesses = relays.map(({ url }) => new RelayLink(url, filter, ({ id }) => void heard.push(id)));
    links.push(...witnesses);
    await Promise.all(witnesses.map((witness) => witness.ready));

    client.send('ping', []);
    await until(() => bunker.requests.some(({ id }) => id === 'raw-1'));
    bunker.pause();
    client.send('ping', []);
    // Both requests, by each relay.
    await until(() => heard.length === 2 * relays.length);
    await sleep(50);
    bunker.resume();
    release();
    client.send('ping', []);
    const answers = await client.until(1);
    await sleep(80);
    expect(answers.map(({ id }) => id)).toEqual(['raw-3']);
  });

  it('does not answer clients that it has forgotten, until they pair again', async () => {
    await start();
    const client = await rawClient();
    bunker.forgetClients();
    client.send('ping', []);
    await sleep(80);
    expect(client.answers).toHaveLength(0);
    const { secret } = await pointer();
    expect(await client.ask('connect', [bunker.signerPubkey, secret ?? ''])).toMatchObject({ result: 'ack' });
    expect(await client.ask('ping', [])).toMatchObject({ result: 'pong' });
  });

  it('names other relays where it is told to, refuses first and answers then', async () => {
    await start({ namedRelays: ['ws://127.0.0.1:1'] });
    expect((await pointer()).relays).toEqual(['ws://127.0.0.1:1']);
    const client = await rawClient();
    bunker.setFaults(() => ({ refusedBefore: 'unauthorized', afterMs: 20 }));
    client.send('ping', []);
    const answers = await client.until(2);
    expect(answers.map(({ id, result, error }) => [id, result, error])).toEqual([
      ['raw-1', '', 'unauthorized'],
      ['raw-1', 'pong', undefined],
    ]);
  });

  it('hears again after its relay dropped it', async () => {
    await start();
    const client = await rawClient();
    relays.forEach((relay) => relay.dropConnections());
    // Both come back in their own time, and what is sent before is lost.
    await until(() => {
      client.send('ping', []);
      return client.answers.length > 0;
    });
    expect(client.answers[0]).toMatchObject({ result: 'pong' });
  });

  it('waits for onRequest, and tells a script error to the client', async () => {
    const seen: string[] = [];
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await start({
      onRequest: async ({ method }) => {
        seen.push(method);
        if (method === 'ping') await held;
        if (method === 'get_public_key') throw new Error('broken script');
      },
    });
    const client = await rawClient();
    client.send('ping', []);
    await sleep(50);
    expect(client.answers).toHaveLength(0);
    release();
    await client.until(1);
    expect(await client.ask('get_public_key', [])).toMatchObject({
      error: 'bunker script failed: broken script',
    });
    expect(seen).toEqual(['connect', 'ping', 'get_public_key']);
  });

  describe('faults', () => {
    let client: RawClient;

    beforeEach(async () => {
      await start();
      client = await rawClient();
    });

    it('swallow', async () => {
      once({ swallow: true });
      client.send('ping', []);
      client.send('ping', []);
      await client.until(1);
      await sleep(50);
      expect(client.answers.map(({ id }) => id)).toEqual(['raw-2']);
      expect(bunker.requests).toHaveLength(3);
    });

    it('delayMs reorders, and a script may count and be slow itself', async () => {
      bunker.setFaults(async (_request, index) => {
        await sleep(1);
        return index === 1 ? { delayMs: 1_000 } : undefined;
      });
      client.send('ping', []);
      client.send('ping', []);
      expect((await client.until(2)).map(({ id }) => id)).toEqual(['raw-2', 'raw-1']);
    });

    it('error, without effect', async () => {
      once({ error: 'denied' }, 'sign_event');
      expect(await client.ask('sign_event', [JSON.stringify(template())])).toMatchObject({
        result: '',
        error: 'denied',
      });
    });

    it.each([
      ['rawPayload', { rawPayload: 'garbage' }, { text: undefined, event: { content: 'garbage' } }],
      ['rawJson', { rawJson: 'not json' }, { text: 'not json' }],
      ['result', { result: '' }, { result: '', id: 'raw-1' }],
    ])('%s', async (_name, action, expected) => {
      once(action);
      const answer = await client.ask('ping', []);
      expect({ text: undefined, ...answer }).toMatchObject(expected);
      expect(answer.event.pubkey).toBe(bunker.signerPubkey);
      expect(await client.ask('ping', [])).toMatchObject({ result: 'pong' });
    });

    it('mutateEvent', async () => {
      once({ mutateEvent: (signed) => ({ ...signed, content: 'altered' }) }, 'sign_event');
      const answer = await client.ask('sign_event', [JSON.stringify(template())]);
      const event = JSON.parse(answer.result!) as Event;
      expect(event.content).toBe('altered');
      expect(verifyEvent(event)).toBe(false);
    });

    it('signWith', async () => {
      const other = generateSecretKey();
      once({ signWith: other }, 'sign_event');
      const answer = await client.ask('sign_event', [JSON.stringify(template())]);
      const event = JSON.parse(answer.result!) as Event;
      expect(verifyEvent(event)).toBe(true);
      expect(event.pubkey).toBe(getPublicKey(other));
    });

    it('authUrl, then the answer under the same id', async () => {
      once({ authUrl: ['https://a.example/1', 'https://a.example/2'], afterMs: 30 });
      client.send('ping', []);
      expect((await client.until(3)).map(({ id, result, error }) => [id, result, error])).toEqual([
        ['raw-1', 'auth_url', 'https://a.example/1'],
        ['raw-1', 'auth_url', 'https://a.example/2'],
        ['raw-1', 'pong', undefined],
      ]);
    });

    it('authUrl that is never approved', async () => {
      once({ authUrl: 'https://a.example/1', then: 'nothing' });
      client.send('ping', []);
      await client.until(1);
      await sleep(50);
      expect(client.answers).toHaveLength(1);
    });

    it('authUrl is what a third-party client understands', async () => {
      await bunker.stop();
      await start();
      const urls: string[] = [];
      const third = await signer(generateSecretKey(), (url) => urls.push(url));
      once({ authUrl: 'https://a.example/approve', afterMs: 20 }, 'connect');
      await third.connect();
      expect(urls).toEqual(['https://a.example/approve']);
    });

    it('duplicate sends distinct events', async () => {
      once({ duplicate: 2 });
      client.send('ping', []);
      const answers = await client.until(3);
      expect(answers.map(({ id, result }) => [id, result])).toEqual(Array(3).fill(['raw-1', 'pong']));
      expect(new Set(answers.map(({ event }) => event.id)).size).toBe(3);
    });

    it('nip04', async () => {
      once({ nip04: true });
      const { event, text } = await client.ask('ping', []);
      expect(text).toBeUndefined();
      const opened = nip04Decrypt(client.secretKey, bunker.signerPubkey, event.content);
      expect(JSON.parse(opened)).toEqual({ id: 'raw-1', result: 'pong' });
    });

    it('reportPubkey', async () => {
      const pubkey = getPublicKey(generateSecretKey());
      once({ reportPubkey: pubkey }, 'get_public_key');
      expect(await client.ask('get_public_key', [])).toMatchObject({ result: pubkey });
      expect(await client.ask('get_public_key', [])).toMatchObject({ result: bunker.userPubkey });
    });
  });
});
