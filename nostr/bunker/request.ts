import { RepublishError } from '../../contract/failures';
import type { SignedEvent } from '../events';
import { shownRelay } from '../relays/url';
import type { SignerCall } from '../signers/signer';
import type { BunkerLink } from './link';
import { presentableRefusal } from './messages';
import type { Pacer } from './pacer';

export interface RequestOptions {
  method: string;
  /** The encrypted request. Sent any number of times it is one request: a bunker that has it already can tell by its id. */
  event: SignedEvent;
  requestTimeoutMs: number;
  approvalTimeoutMs: number;
  pacer: Pacer;
  /** The ways to the bunker, as they are when it is sent. */
  links(): readonly BunkerLink[];
  /** What else is known of the bunker's silence. */
  hint(): string;
  call: SignerCall;
  /** A person is asked: nobody needs to queue behind that. */
  onApprovalAsked(): void;
  onEnd(): void;
}

/** First pause after a relay has asked for patience; doubles, or a queue of requests would keep the limit exhausted. */
const FIRST_RESEND_MS = 500;
const MAX_RESEND_MS = 8_000;
const ENDED = new Error('the request has ended');

/**
 * One request to a bunker from its sending to its answer, its refusal or its deadline. After the end no listener, no timer
 * and no promise of it is left.
 */
export class BunkerRequest {
  readonly answer: Promise<string>;
  /** The page on which a person has to approve it. */
  approvalUrl: string | undefined;
  #sentOver = new Set<BunkerLink>();
  /** The last refusal of each relay. A relay's word is not the bunker's: the answer may still come. */
  #refusals = new Map<BunkerLink, string>();
  /** Relays over which it is about to be sent again. */
  #resending = new Set<BunkerLink>();
  #resends = 0;
  #timers = new Set<NodeJS.Timeout>();
  #deadline: NodeJS.Timeout | undefined;
  #sentAtMs = 0;
  /** A relay has passed it on, by its OK or by the answer. */
  #passed = false;
  #undisturbed = true;
  /** It was sent over a link that was lost since: the bunker may have been away at the same time. */
  #mayBeLost = false;
  #waiting = new Set<() => void>();
  #ended = new AbortController();
  #resolve: (result: string) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(private readonly options: RequestOptions) {
    this.answer = new Promise<string>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    options.call.signal?.addEventListener('abort', this.#abort, { once: true });
    this.#startDeadline();
  }

  get method(): string {
    return this.options.method;
  }

  get event(): SignedEvent {
    return this.options.event;
  }

  resolve(result: string): void {
    if (this.#end()) this.#resolve(result);
  }

  reject(error: unknown): void {
    if (this.#end()) this.#reject(error);
  }

  send(): void {
    for (const link of this.options.links()) this.sendOver(link);
  }

  /** Over a link that can carry requests (again). */
  sendOver(link: BunkerLink): void {
    if (!link.send(this.event)) return;
    if (this.#sentOver.has(link)) this.#mayBeLost = true;
    this.#sentOver.add(link);
    this.#sentAtMs = Date.now();
  }

  isSentOver(link: BunkerLink): boolean {
    return this.#sentOver.has(link);
  }

  /** The relay's OK. Only a hint: some send none for ephemeral events, some refuse and forward. */
  noteOk(link: BunkerLink, accepted: boolean, message: string): void {
    if (accepted) {
      if (this.#isHeldUp()) this.#startDeadline();
      this.#refusals.delete(link);
      this.notePassed();
      return;
    }
    this.#refusals.set(link, message);
    this.#undisturbed = false;
    // auth-required: the relay has sent a challenge, or is about to, and the link answers it.
    if (!/^(rate-limited|error|auth-required):/.test(message)) return;
    // The relay has not passed the request on: the same event is sent again after a pause, within the deadline.
    // One at a time: a relay may answer a single event with any number of refusals.
    if (this.#resending.has(link)) return;
    this.#resending.add(link);
    const again = (): void => {
      this.#resending.delete(link);
      this.sendOver(link);
    };
    if (this.#isHeldUp()) {
      this.options.pacer.refused(this.#sentAtMs);
      this.options.pacer.take(this.#ended.signal, true).then(again, () => undefined); // it has ended meanwhile
      return;
    }
    const pauseMs =
      Math.min(FIRST_RESEND_MS * 2 ** this.#resends, MAX_RESEND_MS) * (0.75 + Math.random() / 2);
    this.#resends += 1;
    this.#after(pauseMs, again);
  }

  /** Its answer took as long as the bunker did: no relay has held it up, and no person was asked. */
  get isUndisturbed(): boolean {
    return this.#undisturbed && this.approvalUrl === undefined;
  }

  /** The bunker itself asks for patience: the next requests to it wait for longer. */
  slowDown(): void {
    this.options.pacer.refused(this.#sentAtMs);
  }

  /** @param createdAtS of the event in which the bunker has said something about it */
  noteAnswer(createdAtS: number): void {
    this.options.call.onAnswer?.(createdAtS);
    this.notePassed();
  }

  notePassed(): void {
    if (!this.#passed) this.options.pacer.passed();
    this.#passed = true;
  }

  /** NIP-46: a person has to approve on a page; the answer comes later, under the same id, or never. */
  waitForApproval(page: string): boolean {
    if (this.approvalUrl !== undefined) return false;
    this.approvalUrl = page;
    this.#clearTimers();
    this.#after(this.options.approvalTimeoutMs, () => this.reject(this.#whyNoAnswer()));
    this.options.call.onApproval?.(page);
    this.options.onApprovalAsked();
    return true;
  }

  /** Resolves when the request has ended, however. Rejects with the signal's reason. */
  async untilEnd(signal?: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(go);
        reject(signal?.reason as Error);
      };
      const go = (): void => {
        signal?.removeEventListener('abort', abort);
        resolve();
      };
      if (signal?.aborted) return abort();
      this.#waiting.add(go);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #abort = (): void => this.reject(this.options.call.signal?.reason);

  /** False when it had ended before. */
  #end(): boolean {
    if (this.#ended.signal.aborted) return false;
    // A reason of its own: without, an exception with its stack would be made for each request.
    this.#ended.abort(ENDED);
    this.#clearTimers();
    const { call, onEnd } = this.options;
    call.signal?.removeEventListener('abort', this.#abort);
    onEnd();
    if (this.approvalUrl !== undefined) call.onApproval?.(undefined);
    for (const go of this.#waiting) go();
    return true;
  }

  #after(ms: number, act: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
    return timer;
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Anew from the moment in which a relay has passed the request on: how long the relay made it wait is not the bunker's. */
  #startDeadline(): void {
    const { requestTimeoutMs, pacer } = this.options;
    if (this.#deadline !== undefined) {
      clearTimeout(this.#deadline);
      this.#timers.delete(this.#deadline);
    }
    this.#deadline = this.#after(requestTimeoutMs, () => {
      // While the relay lets others of this bunker through, this one's turn comes too.
      const isItsTurn = this.#isHeldUp() && pacer.idleMs < requestTimeoutMs;
      if (isItsTurn) this.#startDeadline();
      else this.reject(this.#whyNoAnswer());
    });
    this.#after(requestTimeoutMs / 2, () => this.#sendAgain());
  }

  /**
   * Requests are ephemeral: one that comes while the bunker reconnects is gone, and so is one that a relay drops without a
   * word. Where no relay said that it passed it on, or a link was lost since, it is sent once more while there is time.
   */
  #sendAgain(): void {
    // Where all refuse it for now, it is sent again anyway.
    if (this.#refusals.size === this.#sentOver.size) return;
    if (!this.#passed || this.#mayBeLost) this.send();
  }

  /** Every relay that has the request refuses it for its rate. */
  #isHeldUp(): boolean {
    return (
      this.#sentOver.size > 0 &&
      this.#refusals.size === this.#sentOver.size &&
      [...this.#refusals.values()].every((reason) => reason.startsWith('rate-limited:'))
    );
  }

  #whyNoAnswer(): RepublishError {
    const { method, requestTimeoutMs, approvalTimeoutMs } = this.options;
    if (this.approvalUrl !== undefined) {
      return new RepublishError(
        'SignerApprovalPending',
        `the bunker asked a person to approve ${method}, and nobody did within ${approvalTimeoutMs} ms`,
      );
    }
    if (this.#sentOver.size === 0) {
      const troubles = this.options.links().map((link) => `${shownRelay(link.url)}: ${link.trouble}`);
      return new RepublishError(
        'SignerUnreachable',
        `no relay of the bunker could be reached for ${method} (${troubles.join('; ')})`,
      );
    }
    if (this.#refusals.size === this.#sentOver.size) {
      const refusals = [...this.#refusals].map(
        ([link, reason]) => `${shownRelay(link.url)}: ${presentableRefusal(reason)}`,
      );
      return new RepublishError(
        'SignerUnreachable',
        `the bunker's relays refused ${method} (${refusals.join('; ')})`,
      );
    }
    return new RepublishError(
      'SignerTimeout',
      `the bunker did not answer ${method} within ${requestTimeoutMs} ms${this.options.hint()}`,
    );
  }
}
