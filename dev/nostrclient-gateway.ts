import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import WebSocket, { WebSocketServer } from 'ws';
import { type GatewayRelayFacts, GatewayRelays } from './nostrclient-relays';
import { parseFrame } from './relay-link';

/** How often the extension looks for answers to a client's subscriptions (router.py, _nostr_to_client). */
const CLIENT_LOOK_MS = 100;
const PATH = '/nostrclient/api/v1/';

export interface NostrclientGatewayOptions {
  /** The relays behind it, which may be down. */
  relays: string[];
  /** The private ws_id; absent: a random one. */
  wsId?: string;
  /** All of the extension's times are multiplied by it. Absent: 1, as they are in the field. */
  timeScale?: number;
}

export interface NostrclientGateway {
  /** nostrclient+ws:// address with the ws_id, a bearer secret. */
  readonly url: string;
  /** The same with the public ws_id. */
  readonly publicUrl: string;
  /** The extension's settings, by their names there. A change holds for whoever connects after it. */
  readonly settings: { private_ws: boolean; public_ws: boolean };
  /** Every frame that clients have sent, oldest first. */
  readonly received: unknown[][];
  relays(): GatewayRelayFacts[];
  /** Cuts the clients without a closing handshake; the gateway goes on listening. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/**
 * Stands in for the nostrclient extension of LNbits: forwards REQ, CLOSE and EVENT to every relay, and gives
 * back EVENT and EOSE. Held against the extension's main branch of 2025-09-10 (commit 02af516), read, and run
 * in LNbits 1.6.2:
 *
 * - A relay that was lost, in good order or not, is connected again after 60 s times its errors, an hour at
 * most; this is
 *   looked at every 20 s. Each loss and each vain attempt is an error; the count is not reset by a connection.
 * - An EVENT goes into a queue for each relay. It waits while the connection is being opened, and is lost
 * with the queue
 *   while the relay counts as lost. Subscriptions are kept, and asked anew when the relay is back.
 * - Each relay's EOSE is given back, also that of a relay that is asked anew; those between two looks become
 * one.
 * - An event is given back once for each subscription, whichever relay sends it, and remembered for ever.
 * - OK, NOTICE, CLOSED and AUTH of relays reach no client.
 * - A ws_id that is wrong or switched off is HTTP 403 at the handshake.
 *
 * Assumed, or left out: a lost relay is joined by threads, which can hold up LNbits for seconds; pings; what
 * a message that is no JSON does to a relay's connection; the page that has to be opened once before any
 * ws_id is taken; HTTP 404 for an extension that is switched off.
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

/** One client (router.py): its subscriptions have other ids at the relays. */
function serve(client: WebSocket, relays: GatewayRelays, received: unknown[][], lookMs: number): void {
  /** The client's ids by those at the relays. */
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
