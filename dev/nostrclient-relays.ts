import WebSocket from 'ws';
import { parseFrame } from './relay-link';

/** The times of the extension, in milliseconds. */
const REAL_MS = {
  /** How often a connection that is being opened is checked, to send its queue (relay.py, queue_worker). */
  queueLook: 1_000,
  /** How often lost relays are checked (tasks.py, check_relays). */
  restartLook: 20_000,
  /** How long to wait before a restart, for each error of the relay (relay_manager.py, _restart_relay). */
  restartPerError: 60_000,
  restartAtMost: 3_600_000,
  /** How often messages of the relays are given to the subscriptions (client.py, subscribe). */
  answerLook: 200,
};

/** Answers to one subscription that its client has not fetched yet. */
interface Answers {
  events: unknown[];
  /** Several EOSE between two polls become one. */
  eose: boolean;
}

/** A relay as the extension's admin API lists it. */
export interface GatewayRelayFacts {
  url: string;
  connected: boolean;
  errorCount: number;
}

/** The part of the extension that all clients share: relay_manager.py, message_pool.py and tasks.py. */
export class GatewayRelays {
  readonly #relays = new Map<string, GatewayRelay>();
  /** REQ frames of all clients. They are sent again to a relay that is connected again. */
  readonly #subscriptions = new Map<string, string>();
  /** Subscription and event id of each event that was returned. Nothing is ever removed. */
  readonly #known = new Set<string>();
  /** Messages of the relays since the last poll. */
  #arrived: { subscription: string; event?: unknown }[] = [];
  readonly #answers = new Map<string, Answers>();
  readonly #timers: NodeJS.Timeout[];

  constructor(
    urls: readonly string[],
    private readonly timeScale: number,
  ) {
    for (const url of urls) this.#connect(url, 0);
    this.#timers = [
      setInterval(() => this.#restartLost(), REAL_MS.restartLook * timeScale),
      setInterval(() => this.#giveOut(), REAL_MS.answerLook * timeScale),
    ];
  }

  publish(text: string): void {
    for (const relay of this.#relays.values()) relay.publish(text);
  }

  subscribe(id: string, filters: unknown[]): void {
    const text = JSON.stringify(['REQ', id, ...filters]);
    this.#subscriptions.set(id, text);
    this.publish(text);
  }

  unsubscribe(id: string): void {
    this.#subscriptions.delete(id);
    this.publish(JSON.stringify(['CLOSE', id]));
  }

  /** Returns and removes the answers to a subscription. */
  take(id: string): Answers | undefined {
    const answers = this.#answers.get(id);
    this.#answers.delete(id);
    return answers;
  }

  facts(): GatewayRelayFacts[] {
    return [...this.#relays].map(([url, { connected, errorCount }]) => ({ url, connected, errorCount }));
  }

  stop(): void {
    this.#timers.forEach(clearInterval);
    for (const relay of this.#relays.values()) relay.close();
  }

  #connect(url: string, errorCount: number): void {
    const relay = new GatewayRelay(url, errorCount, this.timeScale, (text) => this.#receive(text));
    this.#relays.set(url, relay);
    for (const request of this.#subscriptions.values()) relay.publish(request);
  }

  #restartLost(): void {
    for (const [url, { shutdown, errorCount, lastErrorMs }] of this.#relays) {
      const waitMs = Math.min(REAL_MS.restartPerError * errorCount, REAL_MS.restartAtMost) * this.timeScale;
      // The new connection keeps the number of errors. The queue of the lost one is lost.
      if (shutdown && Date.now() - lastErrorMs >= waitMs) this.#connect(url, errorCount);
    }
  }

  /** OK, CLOSED, AUTH and NOTICE reach no client. */
  #receive(text: string): void {
    const [type, subscription, event] = parseFrame(text) ?? [];
    if (typeof subscription !== 'string') return;
    if (type === 'EOSE') this.#arrived.push({ subscription });
    if (type !== 'EVENT' || typeof event !== 'object' || event === null || !('id' in event)) return;
    const known = `${subscription}_${String(event.id)}`;
    if (this.#known.has(known)) return;
    this.#known.add(known);
    this.#arrived.push({ subscription, event });
  }

  #giveOut(): void {
    for (const { subscription, event } of this.#arrived.splice(0)) {
      const answers = this.#answers.get(subscription) ?? { events: [], eose: false };
      this.#answers.set(subscription, answers);
      if (event === undefined) answers.eose = true;
      else answers.events.push(event);
    }
  }
}

/** One connection to a relay (relay.py). When it is lost, a new object replaces it. */
class GatewayRelay {
  connected = false;
  /** The connection is lost. */
  shutdown = false;
  lastErrorMs = 0;
  readonly #socket: WebSocket;
  readonly #queueLook: NodeJS.Timeout;
  #queue: string[] = [];
  #worksQueue = false;

  constructor(
    url: string,
    public errorCount: number,
    timeScale: number,
    onMessage: (text: string) => void,
  ) {
    this.#socket = new WebSocket(url, { perMessageDeflate: false });
    this.#socket.on('open', () => (this.connected = true));
    this.#socket.on('message', (data) => onMessage(data.toString()));
    // 'close' follows each error.
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#lose());
    this.#queueLook = setInterval(() => this.#lookAtQueue(), REAL_MS.queueLook * timeScale);
  }

  publish(text: string): void {
    this.#queue.push(text);
    if (this.#worksQueue) this.#lookAtQueue();
  }

  close(): void {
    clearInterval(this.#queueLook);
    this.connected = false;
    this.shutdown = true;
    this.#socket.terminate();
  }

  /** A frame that is sent into a connection which has just closed is lost silently. */
  #lookAtQueue(): void {
    if (!this.connected) return;
    this.#worksQueue = true;
    for (const text of this.#queue.splice(0)) {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
    }
  }

  /** A normal close counts as an error too: websocket-client 1.9 calls on_error with the close frame. */
  #lose(): void {
    if (this.shutdown) return;
    this.errorCount += 1;
    this.lastErrorMs = Date.now();
    this.#worksQueue = false;
    this.close();
  }
}
