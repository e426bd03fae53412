import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import { RepublishError } from '../../contract/failures';
import { freePort } from '../../embedded/free-port';
import { BunkerClient } from '../../nostr/bunker/client';
import { Limiter } from '../../async/limiter';
import { lockSecretKey } from '../../nostr/keys';
import type { AddressRules, ResolvedAddress } from '../../nostr/relays/address-rules';
import { RelayConnection } from '../../nostr/relays/connection';
import { Keyring } from '../../nostr/signers/keyring';
import { type BareRelay, startBareRelay } from '../support/bare-relay';
import { fails } from '../support/fails';
import { until } from '../support/until';
import { startTcpServer } from '../support/tcp-server';

/**
 * A forbidden address at which this machine's own servers can be reached all the same: where a protection is
 * missing, the connection is made, and counted.
 */
const FORBIDDEN = '0.0.0.0';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

/** A relay that counts who came, also those that have gone. */
async function countingRelay(): Promise<BareRelay & { came(): number }> {
  let came = 0;
  const relay = await startBareRelay({ onConnect: () => (came += 1) });
  cleanUp.push(() => relay.stop());
  return Object.assign(relay, { came: () => came });
}

/** A server of plain sockets. */
async function serve(onSocket: (socket: Socket) => void): Promise<number> {
  const { port, stop } = await startTcpServer(onSocket);
  cleanUp.push(stop);
  return port;
}

/** Answers with each list in turn, and then always with the last one. */
function resolver(...answers: string[][]): { resolve: () => Promise<ResolvedAddress[]>; asked(): number } {
  let asked = 0;
  return {
    asked: () => asked,
    resolve: () => {
      const answer = answers[Math.min(asked++, answers.length - 1)] ?? [];
      return Promise.resolve(answer.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
    },
  };
}

function open(
  relay: string,
  addressRules?: AddressRules,
  // A busy machine must not end a connection that would be made.
  connectTimeoutMs = 20_000,
  namedRelays?: string[],
): BunkerClient {
  const client = new BunkerClient({
    bunkerPubkey: getPublicKey(generateSecretKey()),
    relays: [relay],
    ...(namedRelays && { namedRelays }),
    clientSecretKey: generateSecretKey(),
    requestTimeoutMs: 1_200,
    approvalTimeoutMs: 1_000,
    connectTimeoutMs,
    limiter: new Limiter(1),
    ...(addressRules && { addressRules }),
  });
  cleanUp.push(() => client.close());
  return client;
}

/** Why the relay cannot be reached, as the user who named it is told. */
async function whyUnreachable(
  relay: string,
  rules?: AddressRules,
  connectTimeoutMs?: number,
  namedRelays?: string[],
): Promise<string> {
  const client = open(relay, rules, connectTimeoutMs, namedRelays);
  // It rejects at the first failure. With a time limit, the limit could be told in place of the reason.
  const error = await fails(RepublishError, client.untilReachable());
  expect(error.type).toBe('SignerUnreachable');
  expect(error.message).not.toMatch(/\bE[A-Z]{4,}|getaddrinfo|server response|canary|errno|connect /);
  const [, reason] = /\(wss?:\/\/[^ ]+: (.*)\)$/.exec(error.message) ?? [];
  if (reason === undefined) throw new Error(`another message: ${error.message}`);
  return reason;
}

describe('a relay of a bunker', () => {
  it('on this machine is connected to, by address and by name', async () => {
    const relay = await countingRelay();
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]']) {
      const came = relay.came();
      open(`ws://${host}:${relay.port}`);
      await until(() => relay.came() > came);
    }
  });

  it('is looked up for the connection itself, by the resolver and no other', async () => {
    const relay = await countingRelay();
    const { resolve, asked } = resolver(['127.0.0.1']);
    open(`ws://no-such-name.localhost:${relay.port}`, { allowPrivate: false, resolve });
    await until(() => relay.came() === 1);
    expect(asked()).toBe(1);
  });

  it('at a forbidden address is never connected to, however it is spelled', async () => {
    const relay = await countingRelay();
    const reasons = await Promise.all(
      ['0.0.0.0', '0', '0x0', '[::]', '[::ffff:0.0.0.0]'].map((host) =>
        whyUnreachable(`ws://${host}:${relay.port}`),
      ),
    );
    for (const reason of reasons) expect(reason).toContain('is a private address');
    expect(relay.came()).toBe(0);
  });

  it('whose name leads to a forbidden address is never connected to, though tried again and again', async () => {
    const relay = await countingRelay();
    const { resolve, asked } = resolver([FORBIDDEN]);
    const url = `ws://relay.localhost:${relay.port}`;
    expect(await whyUnreachable(url, { allowPrivate: false, resolve })).toBe(
      'relay.localhost resolves to a private address, which bunker relays may not have (REPUBLISH_ALLOW_PRIVATE_BUNKER_RELAYS)',
    );
    await until(() => asked() >= 3);
    expect(relay.came()).toBe(0);
  });

  it('is connected to at such an address where the configuration allows it, by name and by address', async () => {
    const relay = await countingRelay();
    const { resolve } = resolver([FORBIDDEN]);
    open(`ws://relay.example:${relay.port}`, { allowPrivate: true, resolve });
    await until(() => relay.came() === 1);
    open(`ws://${FORBIDDEN}:${relay.port}`, { allowPrivate: true });
    await until(() => relay.came() === 2);
  });

  it('is not connected to on this machine where the rules forbid that, by address, by name and behind a name', async () => {
    const relay = await countingRelay();
    const rules = { allowPrivate: true, allowLoopback: false, ...resolver(['127.0.0.1']) };
    for (const host of ['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', 'relay.example'])
      expect(await whyUnreachable(`ws://${host}:${relay.port}`, rules)).toContain(
        'an address of this machine, which nobody here has named',
      );
    expect(relay.came()).toBe(0);
  });

  it('to which the bunker has moved is not connected to in this network, also by a client that begins there', async () => {
    const relay = await countingRelay();
    const url = `ws://relay.example:${relay.port}`;
    for (const address of ['127.0.0.1', FORBIDDEN]) {
      const rules = { allowPrivate: true, ...resolver([address]) };
      expect(await whyUnreachable(url, rules, undefined, ['wss://bunker.example'])).not.toBe('not reachable');
    }
    expect(relay.came()).toBe(0);
    open(url, { allowPrivate: true, ...resolver([FORBIDDEN]) }, undefined, [url]);
    await until(() => relay.came() === 1);
  });

  it('whose name leads elsewhere after the first connection is not followed there (rebinding)', async () => {
    const relay = await countingRelay();
    const { resolve, asked } = resolver(['127.0.0.1'], [FORBIDDEN]);
    const client = open(`ws://relay.localhost:${relay.port}`, { allowPrivate: false, resolve });
    await until(() => relay.came() === 1);
    relay.dropConnections();
    await until(() => asked() >= 3);
    expect(relay.came()).toBe(1);
    const error = await fails(RepublishError, client.getPublicKey());
    expect(error.message).toContain('relay.localhost resolves to a private address');
  });

  it('is asked for once for each connection, so that no second answer is connected to', async () => {
    const relay = await countingRelay();
    // Only the first answer is allowed: code that asks DNS again for the connection gets the forbidden one.
    const { resolve, asked } = resolver(['127.0.0.1'], [FORBIDDEN]);
    const connection = await RelayConnection.open({
      url: `ws://relay.localhost:${relay.port}`,
      connectTimeoutMs: 20_000,
      addressRules: { allowPrivate: false, resolve },
    });
    cleanUp.push(() => connection.close());
    expect([asked(), relay.came()]).toEqual([1, 1]);
  });

  it('with allowed and forbidden addresses is connected to at the allowed one', async () => {
    // At the forbidden address something listens, at the allowed one nothing does.
    const relay = await countingRelay();
    const { resolve } = resolver([FORBIDDEN, '::1']);
    const reason = await whyUnreachable(`ws://relay.localhost:${relay.port}`, {
      allowPrivate: false,
      resolve,
    });
    expect(['refused', 'not reachable']).toContain(reason);
    expect(relay.came()).toBe(0);
  });

  it('elsewhere is spoken to over wss:// only, and not even looked up over ws://', async () => {
    const { resolve, asked } = resolver(['2000::1']);
    const rules = { allowPrivate: false, resolve };
    expect(await whyUnreachable('ws://relay.example', rules)).toMatch(/^relay\.example is not this machine/);
    expect(asked()).toBe(0);
    expect(await whyUnreachable('ws://relay.localhost', rules)).toMatch(/over wss:\/\/ only$/);
    // An address of the public internet that was given to nobody: the rule lets it pass, the network does
    // not.
    expect(await whyUnreachable('wss://relay.example', rules, 300)).toMatch(/^(not reachable|timed out)$/);
  });

  it('is not followed when it sends its clients elsewhere', async () => {
    const elsewhere = await countingRelay();
    const server = createHttpServer();
    let asked = 0;
    server.on('upgrade', (_, socket) => {
      asked += 1;
      socket.end(`HTTP/1.1 302 Found\r\nlocation: ws://${FORBIDDEN}:${elsewhere.port}/canary\r\n\r\n`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanUp.push(() => new Promise((resolve) => server.close(resolve)));
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    // Also where the place would be allowed: a redirect is no relay.
    for (const allowPrivate of [false, true]) {
      expect(await whyUnreachable(url, { allowPrivate })).toBe('no websocket there');
    }
    expect(asked).toBeGreaterThanOrEqual(2);
    expect(elsewhere.came()).toBe(0);
  });
});

it.each([false, true])(
  'a stored signer is opened under the rules of the configuration (%s)',
  async (allowed) => {
    const relay = await countingRelay();
    const bunkerPubkey = getPublicKey(generateSecretKey());
    const ncryptsec = await lockSecretKey(generateSecretKey(), 'secrets key of the test');
    // Nobody is there to answer; the question is who was asked.
    const bunkerTimeoutMs = allowed ? 60_000 : 1_000;
    const keyring = new Keyring({
      secretsKey: 'secrets key of the test',
      bunkerConcurrency: 1,
      bunkerTimeoutMs,
      approvalTimeoutMs: bunkerTimeoutMs,
      connectTimeoutMs: 20_000,
      allowPrivateBunkerRelays: allowed,
    });
    cleanUp.push(() => keyring.close());
    const bunkerRelays = [`ws://${FORBIDDEN}:${relay.port}`];
    const asked = keyring.use(
      { kind: 'bunker', ncryptsec, bunkerPubkey, bunkerRelays, namedRelays: bunkerRelays },
      (signer) => signer.getPublicKey(),
    );
    const failed = fails(RepublishError, asked);
    if (allowed) {
      await until(() => relay.countOf('EVENT') === 1);
      keyring.close();
    }
    expect((await failed).type).toBe('SignerUnreachable');
    expect(relay.came()).toBe(allowed ? 1 : 0);
  },
);

describe('what the user who named a relay is told', () => {
  it('of a port where nothing listens', async () => {
    expect(await whyUnreachable(`ws://127.0.0.1:${await freePort()}`)).toBe('refused');
    // Two addresses, of which Node makes one error without a text.
    const { resolve } = resolver(['127.0.0.1', '127.0.0.2']);
    const rules = { allowPrivate: false, resolve };
    expect(await whyUnreachable(`ws://relay.localhost:${await freePort()}`, rules)).toBe('refused');
  });

  it.each<[string, (socket: Socket) => void]>([
    ['that speaks first, as SSH does', (socket) => socket.end('SSH-2.0-canary\r\n')],
    ['that hangs up', (socket) => socket.destroy()],
    ['of web pages', (socket) => socket.end('HTTP/1.1 404 canary\r\nserver: canary\r\n\r\ncanary')],
    [
      'that upgrades to something else',
      (socket) => socket.end('HTTP/1.1 101 X\r\nupgrade: canary\r\nconnection: upgrade\r\n\r\n'),
    ],
  ])('of a server %s', async (_, answer) => {
    const port = await serve((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => answer(socket));
    });
    expect(await whyUnreachable(`ws://127.0.0.1:${port}`)).toBe('no websocket there');
  });

  it('of a relay that lets nobody in, by the number alone', async () => {
    const port = await serve((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 403 canary\r\nserver: canary\r\n\r\ncanary'));
    });
    expect(await whyUnreachable(`ws://127.0.0.1:${port}`)).toBe('refused with HTTP 403');
  });

  it('of a relay that closes with a reason, by the code and the word that the protocol has', async () => {
    const relay = await startBareRelay({
      onConnect: (peer) => peer.close(1008, 'blocked: canary'),
      onRequest: () => undefined,
    });
    cleanUp.push(() => relay.stop());
    expect(await whyUnreachable(relay.url)).toBe('connection closed (1008: blocked)');
  });

  it('of a server that says nothing', async () => {
    const port = await serve((socket) => socket.on('error', () => undefined).resume());
    expect(await whyUnreachable(`ws://127.0.0.1:${port}`, undefined, 300)).toBe('timed out');
  });

  it('of a server without TLS', async () => {
    const port = await serve((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 400 canary\r\n\r\n'));
    });
    expect(await whyUnreachable(`wss://127.0.0.1:${port}`)).toBe('TLS failed');
  });

  it('of a name that is not found', async () => {
    const notFound = Object.assign(new Error('getaddrinfo ENOTFOUND canary'), { code: 'ENOTFOUND' });
    const rules = { allowPrivate: false, resolve: () => Promise.reject(notFound) };
    expect(await whyUnreachable('wss://relay.example', rules)).toBe('name not found');
  });

  it('of a resolver that never answers', async () => {
    const rules = { allowPrivate: false, resolve: () => new Promise<never>(() => undefined) };
    expect(await whyUnreachable('wss://relay.example', rules, 100)).toMatch(/^(timed out|still connecting)$/);
  });

  it('of a relay that breaks off', async () => {
    const relay = await startBareRelay({ onRequest: (_, __, peer) => peer.drop() });
    cleanUp.push(() => relay.stop());
    expect(await whyUnreachable(relay.url)).toBe('connection lost');
  });
});

it('leaves the relays of the configuration alone, and their errors as they are', async () => {
  const relay = await countingRelay();
  const connection = await RelayConnection.open({
    url: `ws://${FORBIDDEN}:${relay.port}`,
    connectTimeoutMs: 20_000,
  });
  connection.close();
  expect(relay.came()).toBe(1);
  const url = `ws://${FORBIDDEN}:${await freePort()}`;
  const error: unknown = await RelayConnection.open({ url, connectTimeoutMs: 20_000 }).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ message: expect.stringContaining('connect ECONNREFUSED') });
});
