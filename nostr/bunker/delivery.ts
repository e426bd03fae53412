import { RepublishError } from '../../contract/failures';
import type { SignedEvent } from '../events';
import { meaningOfRefusal, protocolWordIn } from '../relays/refusals';
import { shownRelay } from '../relays/url';
import type { BunkerLink } from './link';
import { presentableRefusal } from './messages';
import type { RequestPacer } from './request-pacer';
import { Timers } from './timers';

export interface DeliveryOptions {
  /** The encrypted request, and when it was made. */
  event: SignedEvent;
  madeAtMs: number;
  /** The same request in another event, of now. */
  renew(event: SignedEvent): SignedEvent;
  /** From this age on an event is not sent again: relays refuse old ones. */
  maxAgeMs: number;
  pacer: RequestPacer;
  /** The ways to the bunker, as they are when it is sent. */
  links(): readonly BunkerLink[];
  /** The relays that had refused it for its rate let it through. */
  onLetThrough(): void;
  /** A relay has refused it for good, by its own word. */
  onRefused(): void;
}

/**
 * First pause after a relay has asked for patience; doubles, or a queue of requests would keep the limit
 * exhausted.
 */
const FIRST_RESEND_MS = 500;
const MAX_RESEND_MS = 8_000;

/**
 * Brings a request to the bunker's relays, again and again where that is needed. While its event is young it
 * is the same one, so that relays and bunkers that have it can tell. Then it is another one with the same
 * request id: relays pass no event on twice, and some (strfry) refuse ephemeral ones that are older than a
 * minute, so that a bunker which was away would never see it.
 */
export class Delivery {
  #event: SignedEvent;
  readonly #eventIds: string[];
  #madeAtMs: number;
  #sentOver = new Set<BunkerLink>();
  /** The last refusal of each relay. The bunker may answer all the same: the relay does not speak for it. */
  #refusals = new Map<BunkerLink, string>();
  /** Relays over which it is about to be sent again. */
  #resending = new Set<BunkerLink>();
  #resends = 0;
  readonly #timers = new Timers();
  #sentAtMs = 0;
  /** A relay has passed it on, by its OK or by the answer. */
  #passed = false;
  #undisturbed = true;
  /** It was sent over a link that was lost since: the bunker may have been away at the same time. */
  #mayBeLost = false;
  #ended = new AbortController();

  constructor(private readonly options: DeliveryOptions) {
    this.#event = options.event;
    this.#eventIds = [options.event.id];
    this.#madeAtMs = options.madeAtMs;
  }

  /** Of all events in which it was sent. */
  get eventIds(): readonly string[] {
    return this.#eventIds;
  }

  get sentAtMs(): number {
    return this.#sentAtMs;
  }

  get isSent(): boolean {
    return this.#sentOver.size > 0;
  }

  /** No relay has held it up. */
  get isUndisturbed(): boolean {
    return this.#undisturbed;
  }

  /** Every relay that has the request refuses it for its rate. */
  get isHeldUp(): boolean {
    return (
      this.#isRefusedByAll &&
      [...this.#refusals.values()].every((reason) => meaningOfRefusal(reason) === 'slow down')
    );
  }

  /** Every relay of the bunker refuses it for good, or cannot be reached. */
  get isRefusedForGood(): boolean {
    const isTried = (link: BunkerLink): boolean => this.#sentOver.has(link) || link.wasTried;
    return (
      this.#isRefusedByAll &&
      this.options.links().every(isTried) &&
      ![...this.#refusals.values()].some(mayPass)
    );
  }

  get #isRefusedByAll(): boolean {
    return this.isSent && this.#refusals.size === this.#sentOver.size;
  }

  /** Requests are ephemeral: one that came while the bunker reconnected is gone, or a relay dropped it. */
  get mayNotHaveArrived(): boolean {
    return !this.#passed || this.#mayBeLost;
  }

  send(): void {
    for (const link of this.options.links()) this.sendOver(link);
  }

  /** Where all relays refuse it for now, it is sent again anyway. */
  sendAgain(isAnew: boolean): void {
    if (this.#isRefusedByAll) return;
    if (isAnew) this.#renew();
    this.send();
  }

  /** Over a link that can carry requests (again). */
  sendOver(link: BunkerLink): void {
    if (performance.now() - this.#madeAtMs >= this.options.maxAgeMs) this.#renew();
    if (!link.send(this.#event)) return;
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
      if (this.isHeldUp) this.options.onLetThrough();
      this.#refusals.delete(link);
      this.#notePassed();
      return;
    }
    this.#refusals.set(link, message);
    this.#undisturbed = false;
    if (!mayPass(message)) return this.options.onRefused();
    // The relay has not passed the request on: the same event is sent again after a pause, within the
    // deadline. One at a time: a relay may answer a single event with any number of refusals.
    if (this.#resending.has(link)) return;
    this.#resending.add(link);
    const again = (): void => {
      this.#resending.delete(link);
      this.sendOver(link);
    };
    if (this.isHeldUp) {
      this.options.pacer.refused(this.#sentAtMs);
      this.options.pacer.take(this.#ended.signal, true).then(again, () => undefined); // it has ended meanwhile
      return;
    }
    const pauseMs =
      Math.min(FIRST_RESEND_MS * 2 ** this.#resends, MAX_RESEND_MS) * (0.75 + Math.random() / 2);
    this.#resends += 1;
    this.#timers.after(pauseMs, again);
  }

  /** The bunker has it, and did what it was asked, or will. */
  noteAnswered(): void {
    this.#notePassed();
    this.options.pacer.answered(this.#sentAtMs);
  }

  /** The bunker itself asks for patience: the next requests to it wait for longer. */
  slowDown(): void {
    this.options.pacer.refused(this.#sentAtMs);
  }

  /** Why it cannot have come to the bunker, as far as relays tell. */
  trouble(method: string): RepublishError | undefined {
    if (!this.isSent) {
      const troubles = this.options.links().map((link) => `${shownRelay(link.url)}: ${link.trouble}`);
      return new RepublishError(
        'SignerUnreachable',
        `no relay of the bunker could be reached for ${method} (${troubles.join('; ')})`,
      );
    }
    if (!this.#isRefusedByAll) return undefined;
    const refusals = [...this.#refusals].map(
      ([link, reason]) => `${shownRelay(link.url)}: ${presentableRefusal(reason)}`,
    );
    return new RepublishError(
      'SignerUnreachable',
      `the bunker's relays refused ${method} (${refusals.join('; ')})`,
    );
  }

  end(): void {
    // A reason of its own: without, an exception with its stack would be made for each request.
    this.#ended.abort(ENDED);
    this.#timers.clearAll();
  }

  #renew(): void {
    this.#event = this.options.renew(this.#event);
    this.#eventIds.push(this.#event.id);
    this.#madeAtMs = performance.now();
  }

  #notePassed(): void {
    if (!this.#passed) this.options.pacer.passed();
    this.#passed = true;
  }
}

/** A relay that wants a login has sent a challenge, or is about to, and the link answers it. */
function mayPass(refusal: string): boolean {
  const meaning = meaningOfRefusal(refusal);
  return meaning === 'slow down' || meaning === 'authenticate' || protocolWordIn(refusal) === 'error';
}

const ENDED = new Error('the request has ended');
