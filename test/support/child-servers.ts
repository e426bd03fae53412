import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getPublicKey } from 'nostr-tools/pure';
import type { BunkerOptions, DevBunker } from '../../dev/bunker';
import type { BunkerRequest } from '../../dev/bunker-faults';
import { freePort } from '../../embedded/free-port';
import { type ProcessGroup, startProcessGroup } from '../../embedded/process-group';
import type { SignedEvent } from '../../nostr/events';
import { RelayConnection } from '../../nostr/relays/connection';
import { readStored } from '../../nostr/relays/read';
import { programThatReadsTypeScript } from './child-program';

/** A server in a process of its own, that can be killed as a power cut would. */
export interface ChildServer {
  /** SIGKILL; resolves when it is gone. */
  kill9(): Promise<void>;
  /** Starts it again as it was. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startChild(
  name: string,
  program: () => string,
  onLine?: (line: string) => void,
): Promise<ChildServer> {
  let child: ProcessGroup;
  const start = async (): Promise<void> => {
    let isUp: () => void = () => undefined;
    const up = new Promise<'up'>((resolve) => (isUp = () => resolve('up')));
    child = await startProcessGroup({
      name,
      command: process.execPath,
      args: ['-e', programThatReadsTypeScript(program())],
      cwd: process.cwd(),
      env: { PATH: process.env.PATH, HOME: process.env.HOME },
      onLine: (line) => (line === 'up' ? isUp() : onLine?.(line)),
      orphan: { signal: 'SIGKILL' },
    });
    if ((await Promise.race([up, child.exited])) !== 'up')
      throw new Error(`${name} did not start: ${child.epitaph()}`);
  };
  await start();
  return {
    async kill9() {
      child.kill('SIGKILL');
      await child.exited;
    },
    restart: start,
    stop: () => child.stop('SIGKILL', 1_000),
  };
}

export interface ChildRelay extends ChildServer {
  readonly url: string;
  /** What it has now. */
  events(): Promise<SignedEvent[]>;
}

/** It keeps its events in memory: a kill makes it forget all of them. */
export async function startRelayChild(): Promise<ChildRelay> {
  const port = await freePort();
  const url = `ws://127.0.0.1:${port}`;
  const server = await startChild(
    'the relay',
    () => `require('./dev/relay').startRelay({ port: ${port} }).then(() => console.error('up'))`,
  );
  return {
    ...server,
    url,
    async events() {
      const connection = await RelayConnection.open({ url, connectTimeoutMs: 5_000 });
      const { events } = await readStored(connection, [{ kinds: [30078], limit: 10_000 }], {
        timeoutMs: 5_000,
      });
      connection.close();
      return events;
    },
  };
}

export interface ChildBunker extends ChildServer, Pick<DevBunker, 'requests' | 'userPubkey' | 'uri'> {
  /** It gives so many signatures in all its lives, and holds every further request. Default: no limit. */
  allow(signatures: number): void;
}

/** One with a memory on disk: after a kill it has the same keys, and knows the clients that have paired. */
export async function startBunkerChild(
  options: Pick<BunkerOptions, 'relays' | 'answerDelayMs' | 'concurrency'>,
): Promise<ChildBunker> {
  const requests: BunkerRequest[] = [];
  const [userKey, signerKey] = [randomBytes(32), randomBytes(32)];
  const secret = randomBytes(16).toString('hex');
  const directory = mkdtempSync(path.join(tmpdir(), 'child-bunker-'));
  const allowed = path.join(directory, 'allowed');
  const allow = (signatures: number): void => writeFileSync(allowed, String(signatures));
  allow(Infinity);
  const program = (): string => {
    const knownClients = [...new Set(requests.map(({ clientPubkey }) => clientPubkey))];
    const given = [...new Set(requests.flatMap(({ method, id }) => (method === 'sign_event' ? [id] : [])))];
    const key = (bytes: Buffer): string => `Uint8Array.from(Buffer.from('${bytes.toString('hex')}', 'hex'))`;
    return `const given = new Set(${JSON.stringify(given)});
    const mayGive = (id) =>
      given.has(id) || given.size < Number(require('node:fs').readFileSync(${JSON.stringify(allowed)}, 'utf8') || 0);
    const pause = () => new Promise((resolve) => setTimeout(resolve, 50));
    require('./dev/bunker').startBunker({
      ...${JSON.stringify({ ...options, secret, knownClients })},
      userSecretKey: ${key(userKey)},
      signerSecretKey: ${key(signerKey)},
      onRequest: async (request) => {
        if (request.method === 'sign_event') {
          while (!mayGive(request.id)) await pause();
          given.add(request.id);
        }
        console.error(JSON.stringify(request));
      },
    }).then(({ ready }) => ready).then(() => console.error('up'))`;
  };
  const server = await startChild('the bunker', program, (line) => {
    if (line.startsWith('{')) requests.push(JSON.parse(line) as BunkerRequest);
  });
  const relays = options.relays.map((url) => `relay=${encodeURIComponent(url)}`);
  return {
    ...server,
    async stop() {
      await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
    allow,
    requests,
    userPubkey: getPublicKey(userKey),
    uri: () => `bunker://${getPublicKey(signerKey)}?${[...relays, `secret=${secret}`].join('&')}`,
  };
}
