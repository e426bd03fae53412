import type { Socket } from 'node:net';
import { finalizeEvent, generateSecretKey, getPublicKey } from 'nostr-tools/pure';
import type { SignedEvent } from '../../nostr/events';
import { RelayConnection, type RelayConnectionOptions } from '../../nostr/relays/connection';
import type { Filter } from '../../nostr/relays/frames';
import { type ReadReply, readStored } from '../../nostr/relays/read';
import { type BareRelay, type BareScript, startBareRelay } from './bare-relay';
import { startTcpServer } from './tcp-server';

export const PATIENCE_MS = 8_000;
export const SHORT_MS = 250;

const secretKey = generateSecretKey();
const author = getPublicKey(secretKey);
export function make(d = 'a', created_at = 1_800_000_000): SignedEvent {
  const signed = finalizeEvent({ kind: 30078, created_at, tags: [['d', d]], content: '' }, secretKey);
  // Without the verdict that nostr-tools keeps on the object.
  return JSON.parse(JSON.stringify(signed)) as SignedEvent;
}
export const everything = { kinds: [30078], authors: [author] };

export const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const undo of cleanUp.splice(0).reverse()) await undo();
});

export async function serve(script: BareScript = {}): Promise<BareRelay> {
  const relay = await startBareRelay(script);
  cleanUp.push(() => relay.stop());
  return relay;
}

export async function connect(
  relay: { url: string },
  options: Partial<RelayConnectionOptions> = {},
  signal?: AbortSignal,
): Promise<RelayConnection> {
  const connection = await RelayConnection.open(
    { url: relay.url, connectTimeoutMs: PATIENCE_MS, ...options },
    signal,
  );
  cleanUp.push(() => connection.close());
  return connection;
}

/** Accepts connections and says nothing, as a host behind a broken proxy does. */
export async function serveSilence(): Promise<{ url: string; sockets: ReadonlySet<Socket> }> {
  const { port, sockets, stop } = await startTcpServer();
  cleanUp.push(stop);
  return { url: `ws://127.0.0.1:${port}`, sockets };
}

export const read = (
  connection: RelayConnection,
  filter: Filter,
  timeoutMs = PATIENCE_MS,
): Promise<ReadReply> => readStored(connection, [filter], { timeoutMs });

/** In jest an error of Node's is no Error of the test's. */
export async function messageOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: { message: string }) => error.message,
  );
}
