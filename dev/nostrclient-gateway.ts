import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import WebSocket, { WebSocketServer } from 'ws';
import { parseFrame } from './relay-link';

const reconnectDelayMs = 100;

export interface NostrclientGatewayOptions {
  /** The relays behind it, which may be down. */
  relays: string[];
  /** The last part of the path; absent: a random one. */
  wsId?: string;
  /** The relay whose EOSE is forwarded; absent: whichever sends it first. */
  firstEoseFrom?: string;
}

export interface NostrclientGateway {
  /** nostrclient+ws:// address with the ws_id, a bearer secret. */
  readonly url: string;
  /** Every frame that clients have sent, oldest first. */
  readonly received: unknown[][];
  /** Cuts the clients without a closing handshake; the gateway goes on listening. */
  dropConnections(): void;
  stop(): Promise<void>;
}

/** One subscription of one client, which has another id at the relays. */
interface Route {
  client: WebSocket;
  subscription: string;
  filters: unknown[];
  ended: boolean;
}

/**
 * Stands in for the nostrclient extension of LNbits: forwards REQ, CLOSE and EVENT to every relay, and gives back EVENT
 * and one EOSE. OK, NOTICE, CLOSED and AUTH of the relays reach nobody; events that several relays have come as often; an
 * EVENT for a relay that is away waits until it is back.
 */
export async function startNostrclientGateway(
  options: NostrclientGatewayOptions,
): Promise<NostrclientGateway> {
  const pathname = `/nostrclient/api/v1/${options.wsId ?? randomUUID()}`;
  const routes = new Map<string, Route>();
  const received: unknown[][] = [];

  const requests = (): unknown[][] => [...routes].map(([id, { filters }]) => ['REQ', id, ...filters]);
  const upstreams = options.relays.map(
    (url) =>
      new Upstream(url, requests, ([type, id, event]) => {
        const route = routes.get(String(id));
        if (route === undefined) return;
        if (type === 'EVENT') send(route.client, ['EVENT', route.subscription, event]);
        if (type !== 'EOSE' || route.ended || (options.firstEoseFrom ?? url) !== url) return;
        route.ended = true;
        send(route.client, ['EOSE', route.subscription]);
      }),
  );
  const closeRoutes = (which: (route: Route) => boolean): void => {
    for (const [id, route] of routes) {
      if (!which(route)) continue;
      routes.delete(id);
      upstreams.forEach((upstream) => upstream.send(['CLOSE', id]));
    }
  };
  const handle = (client: WebSocket, [type, first, ...rest]: unknown[]): void => {
    if (type === 'EVENT') upstreams.forEach((upstream) => upstream.publish(['EVENT', first]));
    if (typeof first !== 'string') return;
    if (type === 'REQ') {
      const id = randomUUID();
      routes.set(id, { client, subscription: first, filters: rest, ended: false });
      upstreams.forEach((upstream) => upstream.send(['REQ', id, ...rest]));
    }
    if (type === 'CLOSE') closeRoutes((route) => route.client === client && route.subscription === first);
  };

  const server = createServer();
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (client, request) => {
    client.on('error', () => {});
    if (request.url !== pathname) return client.close(1008);
    client.on('message', (data) => {
      const frame = parseFrame(data.toString()) ?? [];
      received.push(frame);
      handle(client, frame);
    });
    client.on('close', () => closeRoutes((route) => route.client === client));
  });
  await new Promise<void>((resolve, reject) => {
    // Both hear of it: one that is not listened to would be thrown.
    sockets.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });

  const dropConnections = () => sockets.clients.forEach((client) => client.terminate());
  return {
    url: `nostrclient+ws://127.0.0.1:${(server.address() as AddressInfo).port}${pathname}`,
    received,
    dropConnections,
    async stop() {
      upstreams.forEach((upstream) => upstream.stop());
      dropConnections();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The gateway's connection to one relay, for all its clients. */
class Upstream {
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private readonly waiting: unknown[][] = [];

  constructor(
    private readonly url: string,
    /** What is to be asked again when the relay is back. */
    private readonly requests: () => unknown[][],
    private readonly onFrame: (frame: unknown[]) => void,
  ) {
    this.connect();
  }

  publish(frame: unknown[]): void {
    if (!this.send(frame)) this.waiting.push(frame);
  }

  send(frame: unknown[]): boolean {
    return this.socket !== undefined && send(this.socket, frame);
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.terminate();
  }

  private connect(): void {
    const socket = new WebSocket(this.url, { perMessageDeflate: false });
    this.socket = socket;
    socket.on('open', () =>
      [...this.requests(), ...this.waiting.splice(0)].forEach((frame) => this.send(frame)),
    );
    socket.on('message', (data) => this.onFrame(parseFrame(data.toString()) ?? []));
    // Every error is followed by 'close', which is where the next attempt begins.
    socket.on('error', () => {});
    socket.on('close', () => {
      if (!this.stopped) this.timer = setTimeout(() => this.connect(), reconnectDelayMs);
    });
  }
}

function send(socket: WebSocket, frame: unknown[]): boolean {
  if (socket.readyState !== WebSocket.OPEN) return false;
  socket.send(JSON.stringify(frame));
  return true;
}
