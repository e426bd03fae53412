import { WebSocketServer, type WebSocket } from 'ws';
import type { SignedEvent } from '../nostr/events';
import { countedBy, tellReady } from './child';

/**
 * A minimal relay, so that the bench measures its clients. It verifies no signature, keeps the newest
 * document at each address, and forwards ephemeral events to the subscriptions for their p tag.
 */
export interface RelayCounts {
  /** How many documents were sent to it, repeated ones included. */
  documents: number;
  /** How many addresses have a document. */
  addresses: number;
  /** How many REQ messages, and how many filters in them. */
  reads: number;
  filters: number;
}

interface Filter {
  kinds?: number[];
  authors?: string[];
  '#p'?: string[];
  '#d'?: string[];
}

const documents = new Map<string, SignedEvent>();
const counts = { documents: 0, reads: 0, filters: 0 };
countedBy((): RelayCounts => ({ ...counts, addresses: documents.size }));
/** Live subscriptions by the key in their `#p` filter. */
const listeners = new Map<string, Map<string, { socket: WebSocket; id: string }>>();

const server = new WebSocketServer({ port: 0, host: '127.0.0.1', perMessageDeflate: false }, () => {
  const { port } = server.address() as { port: number };
  tellReady({ url: `ws://127.0.0.1:${port}` });
});

let sockets = 0;
server.on('connection', (socket) => {
  const socketId = (sockets += 1);
  const heardFor = new Map<string, string[]>();
  const send = (frame: unknown[]): void => socket.send(JSON.stringify(frame));
  const forget = (id: string): void => {
    for (const key of heardFor.get(id) ?? []) listeners.get(key)?.delete(`${socketId} ${id}`);
    heardFor.delete(id);
  };

  socket.on('message', (data) => {
    const [verb, subject, ...filters] = JSON.parse(String(data)) as [string, unknown, ...Filter[]];
    if (verb === 'EVENT') {
      const event = subject as SignedEvent;
      accept(event);
      send(['OK', event.id, true, '']);
      return;
    }
    const id = String(subject);
    forget(id);
    if (verb !== 'REQ') return;
    counts.reads += 1;
    counts.filters += filters.length;
    // An event that matches two filters is sent once.
    for (const event of new Set(filters.flatMap(stored))) send(['EVENT', id, event]);
    send(['EOSE', id]);
    const keys = [...new Set(filters.flatMap((filter) => filter['#p'] ?? []))];
    heardFor.set(id, keys);
    for (const key of keys) {
      const heard = listeners.get(key) ?? new Map<string, { socket: WebSocket; id: string }>();
      listeners.set(key, heard.set(`${socketId} ${id}`, { socket, id }));
    }
  });
  socket.on('close', () => {
    for (const id of [...heardFor.keys()]) forget(id);
  });
});

function accept(event: SignedEvent): void {
  const tag = (name: string): string => event.tags.find(([key]) => key === name)?.[1] ?? '';
  if (event.kind >= 20_000 && event.kind < 30_000) {
    const heard = listeners.get(tag('p')) ?? new Map<string, { socket: WebSocket; id: string }>();
    for (const { socket, id } of heard.values()) socket.send(JSON.stringify(['EVENT', id, event]));
    return;
  }
  counts.documents += 1;
  const address = `${event.kind}:${event.pubkey}:${tag('d')}`;
  if ((documents.get(address)?.created_at ?? 0) <= event.created_at) documents.set(address, event);
}

function stored({ kinds = [], authors = [], '#d': ds = [] }: Filter): SignedEvent[] {
  return kinds.flatMap((kind) =>
    authors.flatMap((author) => ds.flatMap((d) => documents.get(`${kind}:${author}:${d}`) ?? [])),
  );
}
