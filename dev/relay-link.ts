import type { Event } from 'nostr-tools/core';
import type { Filter } from 'nostr-tools/filter';
import { validateEvent } from 'nostr-tools/pure';
import WebSocket from 'ws';

/** How long to wait for the EOSE of a relay that does not answer. */
const eoseTimeoutMs = 5_000;

/**
 * One subscription of a bunker or a machine on one relay, until `close`. After a lost connection or a CLOSED
 * it connects again with the same subscription. Events between the two are lost, unless the relay has stored
 * them.
 */
export class RelayLink {
  /** Resolves when the first attempt has succeeded or failed: a relay that is down must not block a start. */
  readonly attempted: Promise<void>;
  /** Resolves with the first EOSE. After that live events arrive. */
  readonly ready: Promise<void>;
  private socket: WebSocket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private serial = 0;
  private closed = false;
  private becameReady = () => {};
  private readonly waitingForEose = new Set<() => void>();

  constructor(
    readonly url: string,
    private filter: Filter,
    private readonly onEvent: (event: Event) => void,
    private readonly reconnectDelayMs = 200,
  ) {
    this.ready = new Promise((resolve) => (this.becameReady = resolve));
    this.attempted = this.nextEose();
    this.connect();
  }

  /** Replaces the subscription. Resolves with its EOSE, or at once while there is no connection. */
  async resubscribe(filter: Filter): Promise<void> {
    this.send(['CLOSE', this.subscriptionId()]);
    this.filter = filter;
    if (this.subscribe()) await this.nextEose();
  }

  /** @returns false: there is no connection, and the frame is lost */
  send(frame: readonly unknown[]): boolean {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    this.settleWaiting();
    const socket = this.socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((resolve) => {
      socket.once('close', () => resolve());
      socket.terminate();
    });
  }

  private subscriptionId(): string {
    return `dev-${this.serial}`;
  }

  private nextEose(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.waitingForEose.delete(done);
        resolve();
      };
      const timer = setTimeout(done, eoseTimeoutMs);
      this.waitingForEose.add(done);
    });
  }

  private settleWaiting(): void {
    this.waitingForEose.forEach((done) => done());
  }

  private subscribe(): boolean {
    // A new id each time: a late EOSE or EVENT of the earlier subscription must not count for this one.
    this.serial++;
    return this.send(['REQ', this.subscriptionId(), this.filter]);
  }

  private connect(): void {
    const socket = new WebSocket(this.url, { handshakeTimeout: 5_000, perMessageDeflate: false });
    this.socket = socket;
    socket.on('open', () => this.subscribe());
    socket.on('message', (data) => this.receive(parseFrame(data.toString()) ?? []));
    // 'close' follows each error and starts the next attempt.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.settleWaiting();
      if (!this.closed) this.timer = setTimeout(() => this.connect(), this.reconnectDelayMs);
    });
  }

  private receive([type, subscriptionId, event]: unknown[]): void {
    if (this.closed || subscriptionId !== this.subscriptionId()) return;
    if (type === 'EVENT' && validateEvent(event as Event)) this.onEvent(event as Event);
    if (type === 'CLOSED') this.socket?.terminate();
    if (type === 'EOSE') {
      this.becameReady();
      this.settleWaiting();
    }
  }
}

/** A frame of NIP-01. Undefined: the text is not a JSON array. */
export function parseFrame(text: string): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
