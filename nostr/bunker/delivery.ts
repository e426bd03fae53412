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
  /** Makes another event with the same request, dated now. */
  renew(event: SignedEvent): SignedEvent;
  /** An event of this age is not sent again: relays refuse old ones. */
  maxAgeMs: number;
  pacer: RequestPacer;
  /** The links to the bunker at the moment of sending. */
  links(): readonly BunkerLink[];
  /** Called when relays let the request through that had refused it for its rate. */
  onLetThrough(): void;
  /** Called when a relay has refused it finally. */
  onRefused(): void;
}

/**
 * First pause after a relay asked us to slow down. It doubles, or a queue of requests would keep the limit
 * used up.
 */
const FIRST_RESEND_MS = 500;
const MAX_RESEND_MS = 8_000;

/**
 * Brings a request to the bunker's relays, again and again where that is needed. While the event is young,
 * the same event is sent, so that relays and bunkers recognise it. Later another event with the same request
 * id is sent: relays pass no event on twice, and some (strfry) refuse ephemeral events that are older than a
 * minute. Without it a bunker that was away would never see the request.
 */
export class Delivery {
  #event: SignedEvent;
  readonly #eventIds: string[];
  #madeAtMs: number;
  #sentOver = new Set<BunkerLink>();
  /** The last refusal of each relay. The bunker may answer all the same: its relay does not speak for it. */
  #refusals = new Map<BunkerLink, string>();
  /** Links over which it is about to be sent again. */
  #resending = new Set<BunkerLink>();
  #resends = 0;
  readonly #timers = new Timers();
  #sentAtMs = 0;
  /** A relay has passed it on: it said OK, or the bunker answered. */
  #passed = false;
  #undisturbed = true;
  /** It was sent over a link that was lost since. The bunker may have been away at the same time. */
  #mayBeLost = false;
  #ended = new AbortController();

  constructor(private readonly options: DeliveryOptions) {
    this.#event = options.event;
    this.#eventIds = [options.event.id];
    this.#madeAtMs = options.madeAtMs;
  }

  /** The ids of all events in which it was sent. */
  get eventIds(): readonly string[] {
    return this.#eventIds;
  }

  get sentAtMs(): number {
    return this.#sentAtMs;
  }

  get isSent(): boolean {
    return this.#sentOver.size > 0;
  }

  /** No relay has delayed it. */
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

  /** Every relay of the bunker refuses it finally, or cannot be reached. */
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

  /** Requests are ephemeral: the bunker may have been away, or a relay may have dropped the event. */
  get mayNotHaveArrived(): boolean {
    return !this.#passed || this.#mayBeLost;
  }

  send(): void {
    for (const link of this.options.links()) this.sendOver(link);
  }

  /**
   * Sends it again. Does nothing while every relay that has the request refuses it: `noteOk` has planned the
   * next sending there, if the refusal may pass.
   *
   * @param asNewEvent false: a copy of the same event
   */
  sendAgain(asNewEvent: boolean): void {
    if (this.#isRefusedByAll) return;
    if (asNewEvent) this.#renew();
    this.send();
  }

  /** Sends it over a link that can carry requests (again). */
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

  /**
   * Takes the relay's OK. It is only a hint: some relays send none for ephemeral events, and some refuse and
   * forward.
   */
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
    // deadline. One resend at a time: a relay may answer one event with any number of refusals.
    if (this.#resending.has(link)) return;
    this.#resending.add(link);
    const again = (): void => {
      this.#resending.delete(link);
      this.sendOver(link);
    };
    if (this.isHeldUp) {
      this.options.pacer.refused(this.#sentAtMs);
      // Rejected: the request has ended meanwhile.
      this.options.pacer.take(this.#ended.signal, true).then(again, () => undefined);
      return;
    }
    const pauseMs =
      Math.min(FIRST_RESEND_MS * 2 ** this.#resends, MAX_RESEND_MS) * (0.75 + Math.random() / 2);
    this.#resends += 1;
    this.#timers.after(pauseMs, again);
  }

  /** The bunker has the request. */
  noteAnswered(): void {
    this.#notePassed();
    this.options.pacer.answered(this.#sentAtMs);
  }

  /** The bunker itself asks us to slow down: the next requests to it wait longer. */
  slowDown(): void {
    this.options.pacer.refused(this.#sentAtMs);
  }

  /** Why the request cannot have reached the bunker, as far as its relays tell. */
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
    // A constant reason: otherwise each request would make an exception with its stack.
    this.#ended.abort(ENDED);
    this.#timers.stopAll();
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
