import { getEventListeners } from 'node:events';
import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { encrypt as nip04Encrypt } from 'nostr-tools/nip04';
import { decrypt, encrypt, getConversationKey } from 'nostr-tools/nip44';
import { finalizeEvent, generateSecretKey } from 'nostr-tools/pure';
import { type DevBunker, startBunker } from '../../dev/bunker';
import type { BunkerFault, FaultAction } from '../../dev/bunker-faults';
import { type DevRelay, startRelay } from '../../dev/relay';
import type { BunkerClient, BunkerClientOptions } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import { parseBunkerUri } from '../../nostr/bunker/uri';
import { eventId, isAuthentic, type SignedEvent } from '../../nostr/events';
import { startChildProgram } from '../support/child-program';
import {
  SHORT_MS,
  PLAINTEXT,
  APPROVAL_URL,
  machineKey,
  machine,
  operatorKey,
  operator,
  unsigned,
  refusal,
  started,
  open,
  pair,
} from '../support/bunker-clients';
import { watchTimers } from '../support/timers';
import { until } from '../support/until';
/** An answer comes within that time on a busy machine too. */
const DEADLINE_MS = 5_000;

describe('a client and its bunker', () => {
  let relay: DevRelay;
  let bunker: DevBunker;
  const clientSecretKey = generateSecretKey();

  const client = (options: Partial<BunkerClientOptions> = {}): BunkerClient =>
    open({
      bunkerPubkey: bunker.signerPubkey,
      clientSecretKey,
      ...options,
      relays: options.relays ?? [relay.url],
    });
  /** With a short deadline a question may take several attempts on a busy machine. */
  const untilAnswered = async <T>(ask: () => Promise<T>): Promise<T> => {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const answer = await ask().catch(() => undefined);
      if (answer !== undefined) return answer;
    }
    throw new Error('the bunker does not answer at all');
  };
  /** A client with a short deadline, which must not begin with waiting for the relay. */
  const impatient = async (options: Partial<BunkerClientOptions> = {}): Promise<BunkerClient> => {
    const made = client({ requestTimeoutMs: SHORT_MS, ...options });
    await untilAnswered(() => made.getPublicKey());
    return made;
  };
  /** A client with a deadline that only a missing answer reaches, and a bunker of its own. */
  const withDeadline = async (
    options: Partial<BunkerClientOptions> = {},
  ): Promise<{ own: DevBunker; signer: BunkerClient }> => {
    const paired = { clientSecretKey: generateSecretKey() };
    const { bunker: own } = await pair([relay.url], {}, paired);
    const timeout = { requestTimeoutMs: DEADLINE_MS };
    const signer = open({
      bunkerPubkey: own.signerPubkey,
      relays: [relay.url],
      ...paired,
      ...timeout,
      ...options,
    });
    await untilAnswered(() => signer.getPublicKey());
    return { own, signer };
  };
  const fault = (method: string, action: FaultAction): void =>
    bunker.setFaults((request) => (request.method === method ? action : undefined));

  beforeAll(async () => {
    relay = await startRelay();
    bunker = await startBunker({ relays: [relay.url], userSecretKey: operatorKey });
    const first = client();
    await first.connect(parseBunkerUri(bunker.uri()).secret);
  });
  afterEach(() => {
    bunker.setFaults(undefined);
    bunker.resume();
  });
  afterAll(async () => {
    await bunker.stop();
    await relay.stop();
  });

  describe('that work', () => {
    it('tell the operator key, encrypt to a machine and sign exactly the event', async () => {
      const signer = client();
      expect(await signer.getPublicKey()).toBe(operator);
      const ciphertext = await signer.nip44Encrypt(machine, PLAINTEXT);
      expect(decrypt(ciphertext, getConversationKey(machineKey, operator))).toBe(PLAINTEXT);
      const event = unsigned(ciphertext);
      const signed = await signer.signEvent(event);
      expect(signed).toEqual({
        ...event,
        id: eventId(event),
        sig: expect.stringMatching(/^[0-9a-f]{128}$/) as string,
      });
      expect(isAuthentic(signed)).toBe(true);
    });

    it('send the template with the pubkey, without which some bunkers say nothing', async () => {
      await client().signEvent(unsigned());
      const request = bunker.requests.at(-1);
      expect(JSON.parse(request?.params[0] ?? '')).toEqual(unsigned());
    });

    it('carry the largest state that fits a relay', async () => {
      const plaintext = 'x'.repeat(28_672);
      const ciphertext = await client().nip44Encrypt(machine, plaintext);
      expect(decrypt(ciphertext, getConversationKey(machineKey, operator))).toBe(plaintext);
      expect(await client().signEvent(unsigned(ciphertext))).toMatchObject({ content: ciphertext });
    });

    it('give each of many requests its own answer, however late and often it comes', async () => {
      bunker.setFaults((_, index) => ({ delayMs: (index * 37) % 90, duplicate: index % 3 }));
      const signer = client();
      const texts = Array.from({ length: 10 }, (_, index) => `text ${index}`);
      const ciphertexts = await Promise.all(texts.map((text) => signer.nip44Encrypt(machine, text)));
      const key = getConversationKey(machineKey, operator);
      expect(ciphertexts.map((ciphertext) => decrypt(ciphertext, key))).toEqual(texts);
    });

    it('serve two clients of one key at once', async () => {
      bunker.setFaults((_, index) => ({ delayMs: (index * 17) % 50 }));
      const signers = [client(), client()];
      const asked = signers.flatMap((signer, who) =>
        Array.from({ length: 5 }, async (_, index) => {
          const event = unsigned(`client ${who} request ${index}`);
          return [(await signer.signEvent(event)).content, event.content];
        }),
      );
      for (const [got, wanted] of await Promise.all(asked)) expect(got).toBe(wanted);
    });

    it('never have more requests in work than the limit, over all clients that share it', async () => {
      const limiter = new Limiter(3);
      let inWork = 0;
      let most = 0;
      let areThree: () => void = () => undefined;
      const three = new Promise<void>((resolve) => (areThree = resolve));
      const { bunker: own, client: first } = await pair(
        [relay.url],
        {
          onRequest: async ({ method }) => {
            if (method === 'connect') return;
            most = Math.max(most, ++inWork);
            if (inWork === 3) areThree();
            // None is answered before there are three. After that a fourth has time to come.
            await three;
            await sleep(20);
            inWork -= 1;
          },
        },
        { clientSecretKey, limiter },
      );
      const second = open({ bunkerPubkey: own.signerPubkey, relays: [relay.url], clientSecretKey, limiter });
      await Promise.all(Array.from({ length: 16 }, (_, index) => [first, second][index % 2]?.getPublicKey()));
      expect(most).toBe(3);
      expect(own.requests).toHaveLength(17);
    });
  });

  describe('pairing', () => {
    it('is answered with ack, and works again with the same client key', async () => {
      const { bunker: own, client: paired } = await pair([relay.url]);
      await expect(paired.connect(undefined)).resolves.toBeUndefined();
      expect(own.authorisedClients).toEqual(new Set([paired.clientPubkey]));
      expect(own.requests[0]?.params).toEqual([
        own.signerPubkey,
        parseBunkerUri(own.uri()).secret,
        'nip44_encrypt,sign_event:30078,sign_event:22242',
        '{"name":"republish-operator-configs"}',
      ]);
    });

    it('is answered with the secret, as other bunkers do it', async () => {
      const secret = 'the echoed secret';
      const echo: BunkerFault = ({ method, params }) =>
        method === 'connect' ? { result: params[1] ?? '' } : undefined;
      const own = await startBunker({ relays: [relay.url], secret, faults: echo });
      started.push(own);
      const signer = open({ bunkerPubkey: own.signerPubkey, relays: [relay.url] });
      await expect(signer.connect(secret)).resolves.toBeUndefined();
      own.setFaults(() => ({ result: 'another secret' }));
      expect(await refusal(signer.connect(secret))).toMatchObject({ type: 'SignerRefused' });
      expect(await refusal(signer.connect(undefined))).toMatchObject({ type: 'SignerRefused' });
    });

    it('is refused to another client that has the secret, and to one that has none', async () => {
      const { bunker: own } = await pair([relay.url]);
      const other = open({ bunkerPubkey: own.signerPubkey, relays: [relay.url] });
      const { secret } = parseBunkerUri(own.uri());
      const refused = await refusal(other.connect(secret));
      expect(refused.type).toBe('SignerRefused');
      expect(refused.message).not.toContain(secret);
      expect((await refusal(other.connect(undefined))).type).toBe('SignerRefused');
      expect(await refusal(other.getPublicKey())).toMatchObject({
        type: 'SignerRefused',
        message: 'the bunker refused get_public_key: it does not know or allow this client',
      });
    });

    it('tells the reason of a refusal in words of our own, which repeat no secret', async () => {
      const secret = 'short';
      const own = await startBunker({ relays: [relay.url], secret });
      started.push(own);
      const signer = open({ bunkerPubkey: own.signerPubkey, relays: [relay.url] });
      own.setFaults(() => ({ error: 'too many requests' }));
      expect((await refusal(signer.connect(secret))).message).toBe(
        'the bunker refused connect: rate limited',
      );
      own.setFaults(() => ({ error: `unknown secret "${secret}"` }));
      expect((await refusal(signer.connect(secret))).message).toBe(
        'the bunker refused connect: the pairing secret is wrong or used up',
      );
    });
  });

  describe('that do not', () => {
    it('end at the deadline when the bunker is silent, and go on when it is back', async () => {
      const signer = await impatient();
      bunker.pause();
      const startedAt = Date.now();
      const error = await refusal(signer.nip44Encrypt(machine, PLAINTEXT));
      expect(error.type).toBe('SignerTimeout');
      expect(error.message).toBe(`the bunker did not answer nip44_encrypt within ${SHORT_MS} ms`);
      expect(Date.now() - startedAt).toBeGreaterThanOrEqual(SHORT_MS - 5);
      bunker.resume();
      expect(await untilAnswered(() => signer.getPublicKey())).toBe(operator);
    });

    it('drop an answer that comes after the deadline', async () => {
      const signer = await impatient();
      fault('sign_event', { delayMs: SHORT_MS + 150 });
      expect((await refusal(signer.signEvent(unsigned('late')))).type).toBe('SignerTimeout');
      bunker.setFaults(undefined);
      const signed = (content: string) => untilAnswered(() => signer.signEvent(unsigned(content)));
      expect(await signed('in time')).toMatchObject({ content: 'in time' });
      await sleep(200);
      expect(await signed('afterwards')).toMatchObject({ content: 'afterwards' });
    });

    it('wait for an answer that is slow but in time', async () => {
      bunker.setFaults(() => ({ delayMs: 700 }));
      expect(await client().getPublicKey()).toBe(operator);
    });

    it('end at the deadline when the answer cannot be used', async () => {
      const answers: [string, FaultAction, RegExp][] = [
        ['cannot be decrypted', { rawPayload: 'garbage' }, /1 unreadable messages/],
        [
          'is another key’s ciphertext',
          { rawPayload: encrypt('{}', randomBytes(32)) },
          /1 unreadable messages/,
        ],
        ['is not JSON', { rawJson: `sorry, ${PLAINTEXT}` }, /1 unreadable messages/],
        ['is JSON but no answer', { rawJson: '["ack"]' }, /1 unreadable messages/],
        ['is NIP-04', { nip04: true }, /NIP-04, which is no longer allowed/],
        [
          'names another request',
          { rawJson: `{"id":"${randomUUID()}","result":"x"}` },
          new RegExp(`within ${DEADLINE_MS} ms$`),
        ],
      ];
      // At the same time: each takes as long as the deadline.
      const ended = await Promise.all(
        answers.map(async ([answer, action]) => {
          const { own, signer } = await withDeadline();
          own.setFaults(() => action);
          const { type, message } = await refusal(signer.nip44Encrypt(machine, PLAINTEXT));
          return [answer, type, message];
        }),
      );
      expect(ended).toEqual(
        answers.map(([answer, , message]) => [answer, 'SignerTimeout', expect.stringMatching(message)]),
      );
    });

    it.each<[string, FaultAction, string, RegExp]>([
      ['an empty answer', { result: '' }, 'SignerReturnedWrongEvent', /empty answer to nip44_encrypt/],
      ['an error', { error: 'denied by policy' }, 'SignerRefused', /nip44_encrypt: denied$/],
      [
        'an error that repeats the plaintext',
        { error: `bad: ${PLAINTEXT}` },
        'SignerRefused',
        /a reason of its own/,
      ],
      [
        'an error that quotes it',
        { error: JSON.stringify(PLAINTEXT) },
        'SignerRefused',
        /a reason of its own/,
      ],
      ['the plaintext', { result: PLAINTEXT }, 'SignerReturnedWrongEvent', /no NIP-44 ciphertext/],
      ['its base64', { result: btoa(PLAINTEXT) }, 'SignerReturnedWrongEvent', /no NIP-44 ciphertext/],
      [
        'a NIP-04 ciphertext',
        { result: nip04Encrypt(operatorKey, machine, PLAINTEXT) },
        'SignerReturnedWrongEvent',
        /a NIP-04 ciphertext/,
      ],
      [
        'the ciphertext of something longer',
        { result: encrypt('x'.repeat(100), randomBytes(32)) },
        'SignerReturnedWrongEvent',
        /no NIP-44 ciphertext/,
      ],
    ])('refuse %s in place of a ciphertext', async (_, action, type, message) => {
      fault('nip44_encrypt', action);
      const error = await refusal(client().nip44Encrypt(machine, PLAINTEXT));
      expect(error.type).toBe(type);
      expect(error.message).toMatch(message);
    });

    it.each([[operator.slice(1)], ['npub1...'], [`${operator}\n`]])(
      'refuse %j in place of a public key',
      async (reported) => {
        fault('get_public_key', { result: reported });
        expect((await refusal(client().getPublicKey())).type).toBe('SignerReturnedWrongEvent');
      },
    );

    it('may name the public key in capitals', async () => {
      fault('get_public_key', { result: operator.toUpperCase() });
      expect(await client().getPublicKey()).toBe(operator);
    });

    const resigned = (change: (event: SignedEvent) => Partial<SignedEvent>) => (event: SignedEvent) =>
      finalizeEvent({ ...event, ...change(event) }, operatorKey);
    it('refuse an event that another key has signed', async () => {
      fault('sign_event', { signWith: generateSecretKey() });
      const error = await refusal(client().signEvent(unsigned()));
      expect(error.type).toBe('SignerReturnedWrongEvent');
      expect(error.message).toMatch(/another pubkey/);
    });

    it.each<[string, FaultAction, RegExp]>([
      ['with other content', { mutateEvent: resigned(() => ({ content: 'other' })) }, /another content/],
      ['of another kind', { mutateEvent: resigned(() => ({ kind: 1 })) }, /another kind/],
      [
        'with another date',
        { mutateEvent: resigned((e) => ({ created_at: e.created_at + 1 })) },
        /another created_at/,
      ],
      [
        'with a tag more',
        { mutateEvent: resigned((e) => ({ tags: [...e.tags, ['t', 'x']] })) },
        /other tags/,
      ],
      ['with a tag less', { mutateEvent: resigned((e) => ({ tags: e.tags.slice(1) })) }, /other tags/],
      [
        'with tags in other order',
        { mutateEvent: resigned((e) => ({ tags: e.tags.toReversed() })) },
        /other tags/,
      ],
    ])('refuse an event that the right key has signed %s', async (_, action, message) => {
      fault('sign_event', action);
      const error = await refusal(client().signEvent(unsigned()));
      expect(error.type).toBe('SignerChangesEvents');
      expect(error.message).toMatch(message);
    });

    it.each<[string, FaultAction, RegExp]>([
      ['altered content', { mutateEvent: (e) => ({ ...e, content: 'other' }) }, /another content/],
      ['another id', { mutateEvent: (e) => ({ ...e, id: 'a'.repeat(64) }) }, /another id/],
      ['a bad signature', { mutateEvent: (e) => ({ ...e, sig: 'a'.repeat(128) }) }, /invalid signature/],
      [
        'the signature of another event',
        { mutateEvent: (e) => ({ ...e, sig: finalizeEvent({ ...e, content: 'other' }, operatorKey).sig }) },
        /invalid signature/,
      ],
      ['an id without a signature', { mutateEvent: (e) => ({ ...e, sig: '' }) }, /not a signed event/],
      ['text', { result: 'signed!' }, /not JSON/],
      ['null', { result: 'null' }, /not a signed event/],
      ['only a signature', { result: JSON.stringify({ sig: 'a'.repeat(128) }) }, /not a signed event/],
    ])('refuse %s in the answer to sign_event', async (_, action, message) => {
      fault('sign_event', action);
      const error = await refusal(client().signEvent(unsigned()));
      expect(error.type).toBe('SignerReturnedWrongEvent');
      expect(error.message).toMatch(message);
    });

    it('hand out no more of a signed event than belongs to it', async () => {
      fault('sign_event', { mutateEvent: (event) => ({ ...event, extra: 'x' }) as typeof event });
      expect(Object.keys(await client().signEvent(unsigned())).sort()).toEqual(
        ['content', 'created_at', 'id', 'kind', 'pubkey', 'sig', 'tags'].sort(),
      );
    });
  });

  describe('approval', () => {
    it('that is asked for once or several times is shown once, and waited for beyond the deadline', async () => {
      const pages = [APPROVAL_URL, [APPROVAL_URL, APPROVAL_URL, 'https://bunker.example/other']];
      const shown = await Promise.all(
        pages.map(async (authUrl) => {
          const urls: string[] = [];
          const { own, signer } = await withDeadline({
            approvalTimeoutMs: 60_000,
            onApprovalNeeded: (url) => urls.push(url),
          });
          own.setFaults(() => ({ authUrl, afterMs: DEADLINE_MS + 200 }));
          expect(await signer.signEvent(unsigned())).toMatchObject({ content: 'c' });
          return urls;
        }),
      );
      expect(shown).toEqual([[APPROVAL_URL], [APPROVAL_URL]]);
    });

    it('that nobody gives ends with a failure of its own, in which the page is not named', async () => {
      const signer = client({ approvalTimeoutMs: 300 });
      fault('sign_event', { authUrl: APPROVAL_URL, then: 'nothing' });
      const error = await refusal(signer.signEvent(unsigned()));
      expect(error.type).toBe('SignerApprovalPending');
      expect(error.message).toMatch(/approve sign_event, and nobody did within 300 ms/);
    });

    it('that is refused is a refusal', async () => {
      fault('sign_event', { authUrl: APPROVAL_URL, error: 'declined: not today' });
      expect(await refusal(client().signEvent(unsigned()))).toMatchObject({
        type: 'SignerRefused',
        message: 'the bunker refused sign_event: denied',
      });
    });

    it('is asked for at an address that steers no terminal', async () => {
      const shown: string[] = [];
      const signer = client({ onApprovalNeeded: (url) => shown.push(url) });
      fault('sign_event', { authUrl: 'https://bunker.example/\u001b[2J\r\nok\u202e' });
      await signer.signEvent(unsigned());
      expect(shown).toEqual(['https://bunker.example/%1B[2Jok%E2%80%AE']);
    });

    it('is not asked for at an address that is no web page', async () => {
      const shown: string[] = [];
      const signer = client({ onApprovalNeeded: (url) => shown.push(url) });
      const pages = ['javascript:alert(1)', '', 'https://', `https://a.example/${'x'.repeat(2_000)}`];
      fault('sign_event', { authUrl: pages });
      await signer.signEvent(unsigned());
      expect(shown).toEqual([]);
    });
  });

  describe('giving up', () => {
    const WATCHED_MS = 61_234;

    it('by a signal leaves no timer, no listener and no place taken', async () => {
      const limiter = new Limiter(2);
      const timers = watchTimers(WATCHED_MS);
      const signer = client({ limiter, requestTimeoutMs: WATCHED_MS });
      await signer.getPublicKey();
      bunker.setFaults(() => ({ swallow: true }));
      const heard = bunker.requests.length;
      const controller = new AbortController();
      // Two are with the bunker, one waits for its place.
      const requests = Array.from({ length: 3 }, () => signer.getPublicKey({ signal: controller.signal }));
      await until(() => bunker.requests.length === heard + 2);
      expect(timers()).toBe(2);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(3);

      controller.abort(new Error('cancelled'));
      for (const request of requests) await expect(request).rejects.toThrow('cancelled');
      expect(timers()).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      bunker.setFaults(undefined);
      expect(await signer.getPublicKey()).toBe(operator);
    });

    it('before the beginning sends nothing', async () => {
      const signer = client();
      await signer.getPublicKey();
      const heard = bunker.requests.length;
      const aborted = { signal: AbortSignal.abort(new Error('cancelled')) };
      await expect(signer.signEvent(unsigned(), aborted)).rejects.toThrow('cancelled');
      await signer.getPublicKey();
      expect(bunker.requests.slice(heard).map(({ method }) => method)).toEqual(['get_public_key']);
    });

    it('leaves no timer and no listener when the answer comes', async () => {
      const timers = watchTimers(WATCHED_MS);
      const signer = client({ requestTimeoutMs: WATCHED_MS });
      const { signal } = new AbortController();
      await signer.getPublicKey({ signal });
      expect(timers()).toBe(0);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });

    it('by close rejects what is with the bunker, what waits for its place and what comes later', async () => {
      const signer = client({ limiter: new Limiter(1), requestTimeoutMs: WATCHED_MS });
      await signer.getPublicKey();
      bunker.setFaults(() => ({ swallow: true }));
      const heard = bunker.requests.length;
      const requests = [signer.getPublicKey(), signer.signEvent(unsigned())];
      await until(() => bunker.requests.length === heard + 1);
      const connections = relay.connections();
      signer.close();
      for (const request of [...requests, signer.getPublicKey()]) {
        expect(await refusal(request)).toMatchObject({
          type: 'SignerUnreachable',
          message: 'the connection to the bunker was closed',
        });
      }
      await until(() => relay.connections() < connections);
      expect(bunker.requests).toHaveLength(heard + 1);
    });

    it('by close leaves the caller’s copy of the key alone', async () => {
      const key = generateSecretKey();
      const copy = Uint8Array.from(key);
      client({ clientSecretKey: key }).close();
      expect(key).toEqual(copy);
    });
  });

  it('survive every fault in a process of their own, without an unhandled rejection', async () => {
    // Jest holds back what would end a real process.
    const child = await startChildProgram(`
      const { startRelay } = require('./dev/relay');
      const { startBunker } = require('./dev/bunker');
      const { BunkerClient } = require('./nostr/bunker/client');
      const { Limiter } = require('./async/limiter');
      const { generateSecretKey } = require('./nostr/keys');
      const faults = [
        { rawPayload: 'garbage' }, { rawPayload: '' }, { rawJson: 'not JSON' }, { rawJson: 'null' }, { nip04: true },
        { result: '' }, { error: 'denied' }, { result: 'auth_url' }, { authUrl: ['https://a.example', 'https://a.example'] },
        { result: '{"toString":1}' }, { rawJson: '{"id":{"toString":1},"result":{"toString":1}}' }, { duplicate: 3 },
        { delayMs: 400 }, { swallow: true },
      ];
      (async () => {
        const relay = await startRelay();
        const bunker = await startBunker({ relays: [relay.url], secret: 's' });
        const client = new BunkerClient({
          bunkerPubkey: bunker.signerPubkey, relays: [relay.url], clientSecretKey: generateSecretKey(),
          requestTimeoutMs: 60_000, approvalTimeoutMs: 300, connectTimeoutMs: 60_000, limiter: new Limiter(30),
        });
        await client.connect('s');
        client.close();
        const results = {};
        // All of them are connected, by a patient client, before the first fault: what is slow is then the fault and not the machine.
        const pairs = await Promise.all(faults.map(async () => {
          const own = await startBunker({ relays: [relay.url], secret: 's' });
          const impatient = {
            bunkerPubkey: own.signerPubkey, relays: [relay.url], clientSecretKey: generateSecretKey(),
            requestTimeoutMs: 10_000, approvalTimeoutMs: 60_000, connectTimeoutMs: 10_000, limiter: new Limiter(30),
          };
          const patient = new BunkerClient({ ...impatient, requestTimeoutMs: 60_000, connectTimeoutMs: 60_000 });
          await patient.connect('s');
          patient.close();
          return { own, signer: new BunkerClient(impatient) };
        }));
        await Promise.all(faults.map(async (fault, index) => {
          const { own, signer } = pairs[index];
          own.setFaults(() => fault);
          const event = { pubkey: own.userPubkey, kind: 30078, created_at: 1, tags: [], content: '' };
          await signer.signEvent(event).then(() => (results[index] = 'signed'), (error) => (results[index] = error.type));
          if (index === 0) relay.dropConnections();
          signer.close();
          await own.stop();
        }));
        await new Promise((resolve) => setTimeout(resolve, 300));
        await bunker.stop();
        await relay.stop();
        console.log(JSON.stringify(faults.map((_, index) => results[index])));
      })();
    `);
    expect(JSON.parse(child.firstLine)).toEqual([
      'SignerTimeout',
      'SignerTimeout',
      'SignerTimeout',
      'SignerTimeout',
      'SignerTimeout',
      'SignerReturnedWrongEvent',
      'SignerRefused',
      'SignerTimeout',
      'signed',
      'SignerReturnedWrongEvent',
      'SignerTimeout',
      'signed',
      'signed',
      'SignerTimeout',
    ]);
    // It ends by itself: no timer and no socket of a closed client keeps a process alive.
    expect(await child.ended).toBe(0);
  });
});
