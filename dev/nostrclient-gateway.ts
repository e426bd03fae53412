import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import WebSocket, { WebSocketServer } from 'ws';
import { type GatewayRelayFacts, GatewayRelays } from './nostrclient-relays';
import { parseFrame } from './relay-link';

/** How often the extension polls the answers to a client's subscriptions (router.py, _nostr_to_client). */
const CLIENT_LOOK_MS = 100;
const PATH = '/nostrclient/api/v1/';

export interface NostrclientGatewayOptions {
  /** The relays behind the gateway. They may be down. */
  relays: string[];
  /** The private ws_id. Default: a random one. */
  wsId?: string;
  /** A factor for all times of the extension. Default: 1, the real times. */
  timeScale?: number;
}

export interface NostrclientGateway {
  /** nostrclient+ws:// address with the ws_id, a bearer secret. */
  readonly url: string;
  /** The same with the public ws_id. */
  readonly publicUrl: string;
  /** The settings of the extension, with its names. A change applies to later connections. */
  readonly settings: { private_ws: boolean; public_ws: boolean };
  /** All frames of the clients, oldest first. */
  readonly received: unknown[][];
  relays(): GatewayRelayFacts[];
  /** Cuts the clients without a closing handshake. The gateway continues to listen. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/**
 * A stand-in for LNbits' nostrclient extension. It forwards REQ, CLOSE and EVENT to each relay, and returns
 * EVENT and EOSE. It was compared with the extension's main branch of 2025-09-10 (commit 02af516), by reading
 * it and by running it in LNbits 1.6.2:
 *
 * - A lost relay is connected again after 60 s times its number of errors, an hour at most. The extension
 *   checks this every 20 s. Each lost connection and each failed attempt is an error. A connection does not
 *   reset the number.
 * - Each relay has a queue for frames. A frame waits there while the connection is being opened. It is lost
 *   with the queue when the relay is lost. Subscriptions are sent again when the relay is connected again.
 * - Each EOSE of a relay is returned, also after a subscription was sent again. Several EOSE between two
 *   polls become one.
 * - An event is returned once for each subscription, from whichever relay it comes. The extension never
 *   forgets it.
 * - OK, NOTICE, CLOSED and AUTH of relays reach no client.
 * - The answer to a wrong or disabled ws_id is HTTP 403 at the handshake.
 *
 * Not simulated: joining the thread of a lost relay, which can block LNbits for seconds; pings; the effect of
 * a message that is not JSON; the page that somebody must open once before a ws_id works; HTTP 404 for a
 * disabled extension.
 */
export async function startNostrclientGateway(
  options: NostrclientGatewayOptions,
): Promise<NostrclientGateway> {
  const { wsId = randomUUID(), timeScale = 1 } = options;
  const settings = { private_ws: true, public_ws: false };
  const relays = new GatewayRelays(options.relays, timeScale);
  const received: unknown[][] = [];
  const server = createServer();
  const sockets = new WebSocketServer({ noServer: true });

  const isLetIn = ({ url = '' }: IncomingMessage): boolean =>
    url === `${PATH}relay` ? settings.public_ws : url === `${PATH}${wsId}` && settings.private_ws;
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (!isLetIn(request)) {
      socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) =>
      serve(client, relays, received, CLIENT_LOOK_MS * timeScale),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  const address = `nostrclient+ws://127.0.0.1:${(server.address() as AddressInfo).port}${PATH}`;
  const dropConnections = () => sockets.clients.forEach((client) => client.terminate());
  return {
    url: `${address}${wsId}`,
    publicUrl: `${address}relay`,
    settings,
    received,
    relays: () => relays.facts(),
    dropConnections,
    async stop() {
      relays.stop();
      dropConnections();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** One client (router.py). Its subscriptions have other ids at the relays. */
function serve(client: WebSocket, relays: GatewayRelays, received: unknown[][], lookMs: number): void {
  /** The client's subscription ids, by the ids at the relays. */
  const subscriptions = new Map<string, string>();
  const close = (id: string): void => {
    subscriptions.delete(id);
    relays.unsubscribe(id);
  };
  const handle = (text: string): void => {
    const frame = parseFrame(text) ?? [];
    received.push(frame);
    const [type, first, ...filters] = frame;
    if (type === 'EVENT') relays.publish(text);
    if (typeof first !== 'string') return;
    if (type === 'REQ') {
      const id = randomUUID();
      subscriptions.set(id, first);
      relays.subscribe(id, filters);
    }
    if (type === 'CLOSE') {
      const id = [...subscriptions.keys()].find((each) => subscriptions.get(each) === first);
      if (id !== undefined) close(id);
    }
  };
  const look = setInterval(() => {
    for (const [id, subscription] of subscriptions) {
      const answers = relays.take(id);
      for (const event of answers?.events ?? []) send(client, ['EVENT', subscription, event]);
      if (answers?.eose) send(client, ['EOSE', subscription]);
    }
  }, lookMs);
  client.on('error', () => {});
  client.on('message', (data) => handle(data.toString()));
  client.on('close', () => {
    clearInterval(look);
    [...subscriptions.keys()].forEach(close);
  });
}

function send(client: WebSocket, frame: unknown[]): void {
  if (client.readyState === WebSocket.OPEN) client.send(JSON.stringify(frame));
}
