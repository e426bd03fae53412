import { randomUUID } from 'node:crypto';
import { createServer, get, type RequestListener, type Server } from 'node:http';
import WebSocket, { WebSocketServer } from 'ws';
import { freePort } from '../../embedded/free-port';
import { isAuthentic, type SignedEvent } from '../../nostr/events';

/** A frame of the client's, as a script sees it. */
export interface ClientFrame {
  type: string;
  /** Of an EVENT. */
  event?: SignedEvent;
  /** The id of an EVENT or AUTH, the subscription of a REQ or CLOSE. */
  subject: string;
  /** Of a REQ. */
  filters?: number;
  /** 1 for the first frame of this type that came in, over all connections. */
  nth: number;
}

/** What happens to a frame in place of being passed on, and to its answer in place of being passed back. */
export interface ProxyAction {
  /**
   * Cuts the connection: before the frame is passed on, or once it has been and before its answer comes back.
   */
  drop?: 'before' | 'after';
  /** The frame is passed on, and nothing about it comes back. */
  swallowAnswer?: boolean;
  /**
   * The frame is answered in the relay's name and not passed on: `['OK', id, ...]` or `['CLOSED',
   * subscription, ...]`.
   */
  answer?: { ok: boolean; message: string } | { closed: string };
  /** Frames that the client gets in the relay's name. The frame is not passed on. */
  reply?: unknown[][];
  /** Frames that the client gets in the relay's name, ahead of what the relay says to the frame. */
  ahead?: unknown[][];
  /** Of a REQ: frames in place of EOSE. None: EOSE never comes. */
  eose?: unknown[][];
  /** The connection is closed as a relay does that has a reason, before the frame is passed on. */
  close?: { code: number; reason: string };
  /** Delays every answer to the frame. */
  delayMs?: number;
}

export type ProxyFault = (frame: ClientFrame) => ProxyAction | undefined;

export interface FaultProxy {
  readonly url: string;
  /** Every frame that came in from clients, oldest first. */
  readonly received: unknown[][];
  /** The events that clients sent, oldest first, repeated ones too. */
  events(): SignedEvent[];
  setFault(fault: ProxyFault | undefined): void;
  /**
   * Demands NIP-42 of the connections that are made from now on: nothing is passed on before a key that
   * `admits` says yes to has signed the challenge. Undefined: no more.
   */
  demandAuthentication(admits: ((pubkey: string) => boolean) | undefined): void;
  /** Answers whoever would connect from now on with this HTTP status. Undefined: no more. */
  refuseHandshakes(status: number | undefined): void;
  dropConnections(): void;
  /** The port refuses connections until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  stop(): Promise<void>;
}

/** A proxy in front of a real relay that adds faults. Without a fault it changes nothing. */
export async function startFaultProxy(relayUrl: string, initialFault?: ProxyFault): Promise<FaultProxy> {
  let fault = initialFault;
  let admits: ((pubkey: string) => boolean) | undefined;
  let refusedWith: number | undefined;
  /** Challenges of the clients that have still to authenticate. */
  const challenges = new Map<WebSocket, string>();
  const received: unknown[][] = [];
  const counts: Record<string, number> = {};
  /** By event id or subscription: what happens to answers about it. */
  const aboutAnswers = new Map<unknown, ProxyAction>();
  let server: Server;
  let sockets: WebSocketServer;

  const authenticate = (client: WebSocket, type: string, first: unknown): void => {
    const reply = (...frame: unknown[]): void => client.send(JSON.stringify(frame));
    const demand = 'auth-required: members only';
    if (type === 'REQ') return reply('CLOSED', first, demand);
    const event = first as SignedEvent;
    if (type !== 'AUTH') return reply('OK', event.id, false, demand);
    const isAnswer =
      event.kind === 22242 &&
      isAuthentic(event) &&
      event.tags.some(([name, value]) => name === 'challenge' && value === challenges.get(client));
    const isAdmitted = isAnswer && admits?.(event.pubkey) === true;
    if (isAdmitted) challenges.delete(client);
    reply('OK', event.id, isAdmitted, isAdmitted ? '' : 'restricted: not a member');
  };
  const pass = (client: WebSocket, relay: WebSocket, text: string): void => {
    const frame = JSON.parse(text) as unknown[];
    const [type, first] = frame as [string, unknown];
    received.push(frame);
    if (challenges.has(client) && type !== 'CLOSE') return authenticate(client, type, first);
    const event = type === 'EVENT' ? (first as SignedEvent) : undefined;
    const nth = (counts[type] = (counts[type] ?? 0) + 1);
    const filters = type === 'REQ' ? { filters: frame.length - 2 } : {};
    const subject = typeof first === 'string' ? first : (first as SignedEvent).id;
    const action =
      fault?.({ type, nth, subject, ...filters, ...(event === undefined ? {} : { event }) }) ?? {};
    if (action.drop === 'before') return client.terminate();
    if (action.close !== undefined) return client.close(action.close.code, action.close.reason);
    for (const told of action.reply ?? action.ahead ?? []) client.send(JSON.stringify(told));
    if (action.reply !== undefined) return;
    if (action.answer !== undefined) {
      const { answer } = action;
      const reply =
        'closed' in answer ? ['CLOSED', subject, answer.closed] : ['OK', subject, answer.ok, answer.message];
      return client.send(JSON.stringify(reply));
    }
    aboutAnswers.set(subject, action);
    relay.send(text);
    if (action.drop !== 'after') return;
    // After the relay's answer, which is dropped: then the frame has certainly arrived.
    aboutAnswers.set(subject, { ...action, swallowAnswer: true });
    relay.once('message', () => client.terminate());
  };
  const passBack = (client: WebSocket, text: string): void => {
    const [type, subject] = JSON.parse(text) as unknown[];
    const { swallowAnswer, delayMs = 0, eose } = aboutAnswers.get(subject) ?? {};
    if (swallowAnswer) return;
    const told = type === 'EOSE' && eose !== undefined ? eose.map((frame) => JSON.stringify(frame)) : [text];
    const send = (): void => {
      if (client.readyState === WebSocket.OPEN) told.forEach((each) => client.send(each));
    };
    if (delayMs === 0) send();
    else setTimeout(send, delayMs).unref();
  };

  /** The relay's limits (NIP-11) are passed on at once: a client waits for them. */
  const passQuestion: RequestListener = ({ url = '/', headers }, response) => {
    const { accept = '*/*' } = headers;
    get(new URL(url, relayUrl.replace(/^ws/, 'http')), { headers: { accept } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).on('error', () => response.destroy());
  };

  const listen = async (port: number): Promise<void> => {
    server = createServer(passQuestion);
    const verifyClient = (_: unknown, answer: (isTaken: boolean, status?: number) => void): void =>
      answer(refusedWith === undefined, refusedWith);
    sockets = new WebSocketServer({ server, verifyClient });
    sockets.on('connection', (client) => {
      const relay = new WebSocket(relayUrl);
      const early: string[] = [];
      if (admits !== undefined) {
        challenges.set(client, randomUUID());
        client.send(JSON.stringify(['AUTH', challenges.get(client)]));
      }
      client.on('message', (data) => {
        if (relay.readyState === WebSocket.OPEN) pass(client, relay, String(data));
        else early.push(String(data));
      });
      relay.on('open', () => early.splice(0).forEach((text) => pass(client, relay, text)));
      relay.on('message', (data) => passBack(client, String(data)));
      client.on('close', () => {
        challenges.delete(client);
        relay.terminate();
      });
      relay.on('close', () => client.terminate());
      // Every error is followed by 'close'.
      client.on('error', () => undefined);
      relay.on('error', () => undefined);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', resolve);
    });
  };
  const dropConnections = (): void => sockets.clients.forEach((client) => client.terminate());
  const down = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = new Promise((resolve) => server.close(resolve));
    dropConnections();
    server.closeAllConnections();
    await closed;
  };

  // Not a port from the kernel's ephemeral range: while this proxy is down, a relay of another test could get
  // the port.
  const port = await freePort();
  await listen(port);
  return {
    url: `ws://127.0.0.1:${port}`,
    received,
    events: () => received.filter(([type]) => type === 'EVENT').map(([, event]) => event as SignedEvent),
    setFault: (next) => (fault = next),
    demandAuthentication: (next) => (admits = next),
    refuseHandshakes: (status) => (refusedWith = status),
    dropConnections,
    down,
    up: () => listen(port),
    stop: down,
  };
}
