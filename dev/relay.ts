import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { EventUtils, LogLevel } from '@nostr-relay/common';
import type { Client } from '@nostr-relay/common';
import { NostrRelay } from '@nostr-relay/core';
import { Validator } from '@nostr-relay/validator';
import type { Event } from 'nostr-tools/core';
import { matchFilters } from 'nostr-tools/filter';
import type { Filter } from 'nostr-tools/filter';
import WebSocket, { WebSocketServer } from 'ws';
import { loadSchnorr, isSigned } from '../nostr/schnorr';
import { parseFrame } from './relay-link';
import { Deletions, MemoryEventRepository } from './relay-memory';

const DELETED = {
  deleted: [false, 'deleted: user requested deletion'],
  blocked: [false, 'blocked: this event has been deleted'],
  duplicate: [true, 'duplicate: '],
} as const;

const maxFrameBytes = 1024 * 1024;

// The package's own check takes 3 ms for each event, also for NIP-46 requests: most of the time of a document
// here.
EventUtils.isSigValid = (event) => isSigned(event);

export interface DevRelayOptions {
  /** TCP port. Default (also 0): a free one. */
  port?: number;
  /** Default: 127.0.0.1. */
  host?: string;
  /**
   * How many events of an author the relay stores. It drops the earliest, as relays with quotas do. Default:
   * all.
   */
  keepPerAuthor?: number;
  /**
   * Applies deletion requests (NIP-09). The value is the answer to a deleted event that is sent again:
   * strfry's (`deleted`), khatru's (`blocked`) or nostr-rs-relay's (`duplicate`). Default: deletion requests
   * have no effect.
   */
  deletions?: keyof typeof DELETED;
  /** How much the relay's `Date` header is ahead of this host's clock. Default: 0. */
  clockAheadMs?: () => number;
  /** Called with each well-formed frame, in the order in which frames are received and sent. */
  onMessage?: (direction: 'in' | 'out', socketId: number, frame: unknown[]) => void;
}

export interface DevRelay {
  /** ws:// address. */
  readonly url: string;
  readonly port: number;
  /** The stored events, newest first. */
  events(): Event[];
  /** Drops a stored event, as a relay without space does. */
  drop(eventId: string): void;
  /** Drops a stored event and refuses it from now on, as a relay does after a deletion request (NIP-09). */
  forget(eventId: string): void;
  /** How many sockets are open. */
  connections(): number;
  /** Cuts all sockets without a closing handshake. The relay continues to listen. */
  dropConnections(): void;
  /** Closes the sockets and the server, and forgets the events. */
  stop(): Promise<void>;
}

/**
 * Starts a real relay (NIP-01, NIP-11) in this process, with its events in memory. Its answer to a superseded
 * event is that of @nostr-relay: `OK true "duplicate: ..."`.
 *
 * @throws Error the port is not free
 */
export async function startRelay(options: DevRelayOptions = {}): Promise<DevRelay> {
  loadSchnorr();
  const host = options.host ?? '127.0.0.1';
  const repository = new MemoryEventRepository(options.keepPerAuthor);
  const relay = new NostrRelay(repository, {
    logLevel: LogLevel.ERROR,
    // Above this limit the package silently drops the oldest subscription of the socket.
    maxSubscriptionsPerClient: 10_000,
    // No caches: the first one hides an event that was published a moment ago, the second one repeats a
    // refusal.
    filterResultCacheTtl: 0,
    eventHandlingResultCacheTtl: 0,
  });
  const validator = new Validator();
  const server = createServer((request, response) => {
    const aheadMs = options.clockAheadMs?.() ?? 0;
    if (aheadMs !== 0) response.setHeader('date', new Date(Date.now() + aheadMs).toUTCString());
    answerHttp(request, response);
  });
  const sockets = new WebSocketServer({ server, maxPayload: maxFrameBytes });
  // `listen` reports this error to the caller. Without a listener here it would also be thrown.
  sockets.on('error', () => {});
  const port = await listen(server, options.port ?? 0, host);

  const refused = new Set<string>();
  const deletions = new Deletions(repository);
  let nextSocketId = 1;
  // One frame at a time. For a REQ the package reads the stored events, and then registers the subscription.
  // An event that is stored between these two steps would never be sent to the subscriber.
  let queue = Promise.resolve();

  sockets.on('connection', (socket) => {
    const socketId = nextSocketId++;
    const filtersById = new Map<string, Filter[]>();
    const deliver = (frame: unknown[], text = JSON.stringify(frame)) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      options.onMessage?.('out', socketId, frame);
      socket.send(text);
    };
    const client: Client = {
      get readyState() {
        return socket.readyState;
      },
      send(text) {
        const frame = JSON.parse(text) as unknown[];
        // Live broadcasts of the package ignore tag filters (#d, #p), so the filter is applied here.
        if (frame[0] === 'EVENT' && !matchFilters(filtersById.get(String(frame[1])) ?? [], frame[2] as Event))
          return;
        deliver(frame, text);
      },
    };
    const handle = async (frame: unknown[]) => {
      try {
        const message = await validator.validateIncomingMessage(frame);
        if (message[0] === 'EVENT' && refused.has(message[1].id))
          return deliver(['OK', message[1].id, false, 'blocked: this event was deleted']);
        if (message[0] === 'EVENT' && options.deletions !== undefined) {
          deletions.heed(message[1]);
          if (deletions.cover(message[1]))
            return deliver(['OK', message[1].id, ...DELETED[options.deletions]]);
        }
        if (message[0] === 'REQ') filtersById.set(message[1], message.slice(2) as Filter[]);
        if (message[0] === 'CLOSE') filtersById.delete(message[1]);
        await relay.handleMessage(client, message);
      } catch (error) {
        deliver(refusal(frame, error instanceof Error ? error.message : String(error)));
      }
    };

    relay.handleConnection(client);
    socket.on('message', (data) => {
      const frame = parseFrame(data.toString());
      if (frame === undefined) return deliver(['NOTICE', 'invalid: a frame must be a JSON array']);
      options.onMessage?.('in', socketId, frame);
      queue = queue.then(() => handle(frame));
    });
    // After an oversized or malformed frame ws closes the socket.
    socket.on('error', () => {});
    // After the waiting frames: the package would otherwise create a record for a closed socket.
    socket.on('close', () => {
      queue = queue.then(() => relay.handleDisconnect(client));
    });
  });

  const dropConnections = () => sockets.clients.forEach((socket) => socket.terminate());
  return {
    url: `ws://${host}:${port}`,
    port,
    events: () => repository.all(),
    drop: (eventId) => repository.drop(eventId),
    forget(eventId) {
      repository.drop(eventId);
      refused.add(eventId);
    },
    connections: () => [...sockets.clients].filter((socket) => socket.readyState === WebSocket.OPEN).length,
    dropConnections,
    async stop() {
      dropConnections();
      await new Promise<void>((resolve) => sockets.close(() => resolve()));
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await queue;
      await relay.destroy();
      await repository.destroy();
    },
  };
}

/**
 * The answer to a refused frame. It names the event or subscription, so that the sender does not wait for it.
 */
function refusal(frame: unknown[], reason: string): unknown[] {
  const [type, subject] = frame;
  const message = reason.startsWith('invalid')
    ? reason.replace(/^invalid:?\s*/, 'invalid: ')
    : `error: ${reason}`;
  const eventId = (subject as { id?: unknown } | null | undefined)?.id;
  if (type === 'EVENT' && typeof eventId === 'string') return ['OK', eventId, false, message];
  if (type === 'REQ' && typeof subject === 'string') return ['CLOSED', subject, message];
  return ['NOTICE', message];
}

/** Relay information (NIP-11) for requests that accept it, else a hint. */
function answerHttp(request: IncomingMessage, response: ServerResponse): void {
  if (request.method !== 'GET' || !request.headers.accept?.includes('application/nostr+json')) {
    response.writeHead(426, { 'content-type': 'text/plain', upgrade: 'websocket' });
    response.end('This is a Nostr relay: connect with a WebSocket client.\n');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/nostr+json', 'access-control-allow-origin': '*' });
  response.end(
    JSON.stringify({
      name: 'embedded development relay',
      description: 'Keeps its events in memory and forgets them when it stops.',
      supported_nips: [1, 11],
      software: '@nostr-relay/core',
      limitation: { max_message_length: maxFrameBytes, max_content_length: 100 * 1024, auth_required: false },
    }),
  );
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const remedy = 'stop what listens there, or leave the port out to take a free one';
      reject(
        new Error(`The relay cannot listen on ${host}:${port} (${cause.message}): ${remedy}.`, { cause }),
      );
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
