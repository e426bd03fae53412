import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { matchFilters, type Filter } from 'nostr-tools/filter';
import WebSocket, { WebSocketServer } from 'ws';
import type { SignedEvent } from '../../nostr/events';

/** One client of the relay, as a script sees it. */
export interface BarePeer {
  /** 0 for the first that connected. */
  readonly index: number;
  readonly isOpen: boolean;
  send(...frame: unknown[]): void;
  /** Sends what no relay should: text that is no frame. */
  sendText(text: string): void;
  sendBinary(bytes: Uint8Array): void;
  drop(): void;
  close(code: number, reason: string): void;
}

/** Replaces parts of a plain relay. What the script leaves out works as on a plain relay. */
export interface BareScript {
  /** The HTTP answer in place of a websocket. Absent or undefined: there is one. */
  onUpgrade?(): { status: number; headers?: Record<string, string> } | undefined;
  onConnect?(peer: BarePeer): void;
  onEvent?(event: SignedEvent, peer: BarePeer, relay: BareRelay): void;
  onAuth?(event: SignedEvent, peer: BarePeer): void;
  onRequest?(subscription: string, filters: Filter[], peer: BarePeer, relay: BareRelay): void;
}

export interface BareRelay {
  readonly url: string;
  readonly port: number;
  script: BareScript;
  /** Answer to whoever asks for its information document (NIP-11); absent: 404. */
  information?: string;
  /** Sent with it, in place of what the server would send. */
  informationHeaders?: Record<string, string>;
  /** How often it was asked for that. */
  informationRequests: number;
  /** What reads find: put there by `keep`, or by a test. No replacement: a relay may hold anything. */
  stored: SignedEvent[];
  /** Every frame that came in, oldest first. */
  readonly received: unknown[][];
  /** Frames of this type that came in. */
  countOf(type: string): number;
  connections(): number;
  /** Stores the event unless it is ephemeral, and sends it to the live subscriptions that match. */
  keep(event: SignedEvent): void;
  /** Sends to the live subscriptions that match, whatever is stored. */
  broadcast(event: SignedEvent): void;
  /** Sends to every live subscription, whatever it asked for. */
  push(event: SignedEvent): void;
  /** Answers a read as a plain relay does. */
  answer(subscription: string, filters: Filter[], peer: BarePeer): void;
  dropConnections(): void;
  stop(): Promise<void>;
}

interface Live {
  peer: BarePeer;
  subscription: string;
  filters: Filter[];
}

/** A relay that sends raw frames, for everything that a real relay should never do. */
export async function startBareRelay(script: BareScript = {}, port = 0): Promise<BareRelay> {
  const server = createServer((request, response) => {
    relay.informationRequests += 1;
    const isAsked = request.headers.accept === 'application/nostr+json';
    response.writeHead(isAsked && relay.information !== undefined ? 200 : 404, relay.informationHeaders);
    response.end(relay.information);
  });
  const sockets = new WebSocketServer({
    server,
    verifyClient(
      _: unknown,
      take: (ok: boolean, status?: number, text?: string, headers?: Record<string, string>) => void,
    ) {
      const refusal = relay.script.onUpgrade?.();
      if (refusal === undefined) take(true);
      else take(false, refusal.status, '', refusal.headers ?? {});
    },
  });
  const live = new Set<Live>();
  let peers = 0;

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as AddressInfo).port;

  const relay: BareRelay = {
    url: `ws://127.0.0.1:${bound}`,
    port: bound,
    script,
    informationRequests: 0,
    stored: [],
    received: [],
    countOf: (type) => relay.received.filter((frame) => frame[0] === type).length,
    connections: () => [...sockets.clients].filter(({ readyState }) => readyState === WebSocket.OPEN).length,
    keep(event) {
      if (event.kind < 20_000 || event.kind >= 30_000) relay.stored.push(event);
      relay.broadcast(event);
    },
    broadcast(event) {
      for (const { peer, subscription, filters } of live) {
        if (matchFilters(filters, event)) peer.send('EVENT', subscription, event);
      }
    },
    push: (event) => live.forEach(({ peer, subscription }) => peer.send('EVENT', subscription, event)),
    answer(subscription, filters, peer) {
      for (const event of relay.stored) {
        if (matchFilters(filters, event)) peer.send('EVENT', subscription, event);
      }
      peer.send('EOSE', subscription);
    },
    dropConnections: () => sockets.clients.forEach((socket) => socket.terminate()),
    async stop() {
      relay.dropConnections();
      await new Promise((resolve) => sockets.close(resolve));
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  sockets.on('connection', (socket) => {
    const peer: BarePeer = {
      index: peers++,
      get isOpen() {
        return socket.readyState === WebSocket.OPEN;
      },
      send: (...frame) => peer.sendText(JSON.stringify(frame)),
      sendText: (text) => socket.readyState === WebSocket.OPEN && socket.send(text),
      sendBinary: (bytes) => socket.readyState === WebSocket.OPEN && socket.send(bytes),
      drop: () => socket.terminate(),
      close: (code, reason) => socket.close(code, reason),
    };
    socket.on('error', () => undefined);
    socket.on('close', () => live.forEach((entry) => entry.peer === peer && live.delete(entry)));
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as unknown[];
      relay.received.push(frame);
      const [type, first, ...rest] = frame;
      if (type === 'EVENT') {
        const event = first as SignedEvent;
        if (relay.script.onEvent) return relay.script.onEvent(event, peer, relay);
        relay.keep(event);
        peer.send('OK', event.id, true, '');
      } else if (type === 'AUTH') {
        relay.script.onAuth?.(first as SignedEvent, peer);
      } else if (type === 'REQ') {
        live.add({ peer, subscription: first as string, filters: rest as Filter[] });
        if (relay.script.onRequest)
          return relay.script.onRequest(first as string, rest as Filter[], peer, relay);
        relay.answer(first as string, rest as Filter[], peer);
      } else if (type === 'CLOSE') {
        live.forEach((entry) => entry.peer === peer && entry.subscription === first && live.delete(entry));
      }
    });
    relay.script.onConnect?.(peer);
  });
  return relay;
}
