import WebSocket from 'ws';
import { parseFrame } from './relay-link';

/** The extension's own times, in milliseconds. */
const REAL_MS = {
  /**
   * A connection that is being opened is looked at that often for what waits for it (relay.py, queue_worker).
   */
  queueLook: 1_000,
  /** How often lost relays are looked at (tasks.py, check_relays). */
  restartLook: 20_000,
  /**
   * A relay with errors is left alone for that long times their number (relay_manager.py, _restart_relay).
   */
  restartPerError: 60_000,
  restartAtMost: 3_600_000,
  /** How often what relays have sent is given out to the subscriptions (client.py, subscribe). */
  answerLook: 200,
};

/** What has come for one subscription and was not yet fetched by its client. */
interface Answers {
  events: unknown[];
  /** Several that come between two looks are one. */
  eose: boolean;
}

/** A relay as the extension's admin API lists it. */
export interface GatewayRelayFacts {
  url: string;
  connected: boolean;
  errorCount: number;
}

/** The extension's relay_manager.py, message_pool.py and tasks.py: what all clients of a gateway share. */
export class GatewayRelays {
  readonly #relays = new Map<string, GatewayRelay>();
  /** REQ frames of all clients; a relay that is connected again is asked them anew. */
  readonly #subscriptions = new Map<string, string>();
  /** By subscription and event, for ever. */
  readonly #known = new Set<string>();
  /** What relays have sent since the last look. */
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

  /** What has come for a subscription; it is given out once. */
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
      // The count goes over to the new connection. What was queued for the old one does not, and is lost.
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

/** One connection to a relay (relay.py). It lives once: when it is lost, another one takes its place. */
class GatewayRelay {
  connected = false;
  /** It is lost, and waits to be replaced. */
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
    // Every error is followed by 'close'.
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

  /** What is sent into a connection that has just gone is lost without a word. */
  #lookAtQueue(): void {
    if (!this.connected) return;
    this.#worksQueue = true;
    for (const text of this.#queue.splice(0)) {
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(text);
    }
  }

  /** Closing in good order is an error as well (websocket-client 1.9: the close frame goes to on_error). */
  #lose(): void {
    if (this.shutdown) return;
    this.errorCount += 1;
    this.lastErrorMs = Date.now();
    this.#worksQueue = false;
    this.close();
  }
}
