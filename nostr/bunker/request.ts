import { RepublishError } from '../../contract/failures';
import type { SignerCall } from '../signers/signer';
import { Delivery, type DeliveryOptions } from './delivery';
import type { Answer } from './kept-answers';
import type { BunkerLink } from './link';
import type { BunkerRefusal } from './messages';
import { Timers } from './timers';
import { Waiters } from './waiters';

export interface RequestOptions extends Omit<DeliveryOptions, 'maxAgeMs' | 'onLetThrough' | 'onRefused'> {
  method: string;
  /** Most time from sending the request to its answer. */
  requestTimeoutMs: number;
  /** Most time to the answer where a person is asked, or may be asked. */
  approvalTimeoutMs: number;
  /**
   * How long a good answer may come after a refusal: there may be two signers, and one of them knows nothing.
   */
  refusalGraceMs: number;
  /** A person waits at a keyboard: when every relay refuses it finally, it ends before the deadline. */
  endsWhenRefused: boolean;
  /** It may be asked again with the same id, so its answer counts also when nobody waits. */
  staysOpen: boolean;
  /** The newest of all questions that the bunker has answered: when it was sent. */
  answeredSentAtMs(): number;
  /** What else is known about the bunker's silence, for the message. */
  hint(): string;
  /** A person is asked: other requests need not wait for this one's slot. */
  onApprovalAsked(): void;
  /** @param answer absent: none came */
  onEnd(answer: Answer | undefined, isTaken: boolean): void;
}

/** Relays refuse ephemeral events that are older than a minute (strfry), and clocks differ. */
const MAX_EVENT_AGE_MS = 30_000;
/**
 * When it is sent again while it is open, in multiples of the request's time: with 30 s these are 30 s, 2 and
 * 8 minutes. Seldom: some bunkers (nsecbunkerd) ask a person again for each copy.
 */
const SENT_AGAIN_AFTER = [1, 4, 16];

/**
 * One request to a bunker, from its sending to its answer or refusal. Any number of callers may wait for it.
 * Each of them waits for as long as a request may take, and then gives up. The request itself may stay open
 * longer, so that a late answer counts. After its end it leaves no listener, timer or promise behind.
 */
export class BunkerRequest {
  readonly method: string;
  /**
   * Settles when the answer comes in time, or does not. Until then the request holds its slot at the bunker.
   */
  readonly inTime: Promise<void>;
  /** The page on which a person has to approve it. */
  approvalUrl: string | undefined;
  readonly #delivery: Delivery;
  readonly #askedAtMs = performance.now();
  readonly #waiters = new Waiters();
  readonly #timers = new Timers();
  #stopDeadline: () => void = () => undefined;
  #isOverdue = false;
  /** Nobody waited when it was time to send it again: it is sent as soon as somebody waits. */
  #isDue = false;
  #hasLaterAnswer = false;
  #refusal: RepublishError | undefined;
  #hasEnded = false;
  #resolveInTime: () => void = () => undefined;
  #rejectInTime: (error: unknown) => void = () => undefined;

  constructor(private readonly options: RequestOptions) {
    const { method, requestTimeoutMs } = options;
    this.method = method;
    this.inTime = new Promise((resolve, reject) => {
      this.#resolveInTime = resolve;
      this.#rejectInTime = reject;
    });
    this.inTime.catch(() => undefined);
    this.#delivery = new Delivery({
      ...options,
      maxAgeMs: Math.min(requestTimeoutMs, MAX_EVENT_AGE_MS),
      // The time that a relay delayed it is not the bunker's.
      onLetThrough: () => this.#startDeadline(),
      onRefused: () => this.#noteRefused(),
    });
    this.#startDeadline();
    // Bunkers and relays recognise a copy of the same event.
    this.#timers.after(requestTimeoutMs / 2, () => {
      if (this.#delivery.mayNotHaveArrived) this.#sendAgain(false);
    });
  }

  get delivery(): Delivery {
    return this.#delivery;
  }

  get isWaitedFor(): boolean {
    return this.#waiters.size > 0;
  }

  /** Its answer took as long as the bunker did: no relay delayed it, and no person was asked. */
  get isUndisturbed(): boolean {
    return this.#delivery.isUndisturbed && this.approvalUrl === undefined && !this.#isOverdue;
  }

  /** Waits for the answer, for as long as a request may take. */
  wait(call: SignerCall, isPatient = false): Promise<string> {
    call.signal?.throwIfAborted();
    if (this.#isOverdue) this.#startDeadline();
    const answer = this.#waiters
      .wait(call, isPatient, () => this.#noteLeft())
      .finally(() => {
        if (this.approvalUrl !== undefined) call.onApproval?.(undefined);
      });
    call.onAsked?.(performance.now() - this.#askedAtMs);
    if (this.approvalUrl !== undefined) call.onApproval?.(this.approvalUrl);
    if (this.#isDue || this.#noteLaterAnswer()) this.#sendAgain(true);
    return answer;
  }

  /** @param createdAtS of the event in which the bunker has said something about it */
  noteAnswer(createdAtS: number): void {
    for (const call of this.#waiters.calls()) call.onAnswer?.(createdAtS);
  }

  /** What was sent between the loss of a link and its return may be lost too. */
  sendOver(link: BunkerLink): void {
    if (this.isWaitedFor) this.#delivery.sendOver(link);
    else this.#isDue = true;
  }

  answered(result: string): void {
    this.#delivery.noteAnswered();
    this.#resolveInTime();
    this.#end({ result });
  }

  /** Takes an answer that cannot be used. */
  refused(refusal: RepublishError, meaning: BunkerRefusal['meaning']): void {
    if (this.#refusal !== undefined) return;
    if (meaning === 'slower') this.#delivery.slowDown();
    else this.#delivery.noteAnswered();
    this.#refusal = refusal;
    this.#rejectInTime(refusal);
    this.#timers.stopAll();
    if (meaning === 'final') this.#timers.after(this.options.refusalGraceMs, () => this.#end({ refusal }));
    else this.#end({ refusal });
  }

  /** NIP-46: a person has to approve on a page. The answer comes later under the same id, or never. */
  waitForApproval(page: string): boolean {
    this.#delivery.noteAnswered();
    if (this.approvalUrl !== undefined || this.#refusal !== undefined) return false;
    this.approvalUrl = page;
    this.#timers.stopAll();
    const { approvalTimeoutMs } = this.options;
    this.#timers.after(approvalTimeoutMs, () => this.fail(this.#whyNoAnswer(approvalTimeoutMs)));
    for (const call of this.#waiters.calls()) call.onApproval?.(page);
    this.options.onApprovalAsked();
    return true;
  }

  /** Ends it without an answer. */
  fail(reason: unknown): void {
    this.#rejectInTime(reason);
    this.#waiters.settle({ failure: reason });
    this.#end(undefined);
  }

  /** Resolves when nobody waits for it any more. Rejects with the signal's reason. */
  untilLeft(signal?: AbortSignal): Promise<void> {
    return this.#waiters.untilLeft(signal);
  }

  /** Some relays refuse and forward all the same, so the bunker has a moment to answer. */
  #noteRefused(): void {
    const { endsWhenRefused, refusalGraceMs, requestTimeoutMs } = this.options;
    if (!endsWhenRefused || this.#hasEnded || this.approvalUrl !== undefined) return;
    this.#timers.after(refusalGraceMs, () => {
      if (this.#delivery.isRefusedForGood) this.fail(this.#whyNoAnswer(requestTimeoutMs));
    });
  }

  #noteLeft(): void {
    if (this.isWaitedFor) return;
    // Nobody will ask for it again, or no relay has it yet.
    if (!this.options.staysOpen || !this.#delivery.isSent) this.fail(LEFT);
    this.#waiters.tellLeft();
  }

  #end(answer: Answer | undefined): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#timers.stopAll();
    this.#delivery.end();
    this.options.onEnd(answer, this.isWaitedFor);
    if (answer !== undefined) this.#waiters.settle(answer);
    this.#waiters.tellLeft();
  }

  #startDeadline(): void {
    // A person is waited for, or nobody is.
    if (this.approvalUrl !== undefined || this.#refusal !== undefined || this.#hasEnded) return;
    const { requestTimeoutMs, pacer } = this.options;
    this.#stopDeadline();
    this.#stopDeadline = this.#timers.after(requestTimeoutMs, () => {
      // While the relay lets other requests of this bunker through, this one gets its turn.
      const isItsTurn = this.#delivery.isHeldUp && pacer.idleMs < requestTimeoutMs;
      if (isItsTurn) this.#startDeadline();
      else this.#giveUpWaiting();
    });
  }

  #giveUpWaiting(): void {
    const { requestTimeoutMs, approvalTimeoutMs, staysOpen } = this.options;
    const reason = this.#whyNoAnswer(requestTimeoutMs);
    // A bunker may ask a person without telling us: then the answer comes when that person has time.
    const mayBeApproved = reason.type === 'SignerTimeout' && requestTimeoutMs < approvalTimeoutMs;
    if (!mayBeApproved || !(staysOpen || this.#waiters.arePatient)) return this.fail(reason);
    this.#rejectInTime(reason);
    this.#waiters.giveUp(reason);
    if (!this.#isOverdue) this.#stayOpen();
    this.#isOverdue = true;
  }

  /**
   * The bunker answered a later question: it lost this one, perhaps at a restart, or it asks a person. The
   * request is sent again once for that, and not more often: each copy may ask the person again.
   */
  #noteLaterAnswer(): boolean {
    if (this.#hasLaterAnswer || !this.#isOverdue) return false;
    this.#hasLaterAnswer = this.options.answeredSentAtMs() > this.#delivery.sentAtMs;
    return this.#hasLaterAnswer;
  }

  #stayOpen(): void {
    const { requestTimeoutMs, approvalTimeoutMs } = this.options;
    this.#timers.after(approvalTimeoutMs - requestTimeoutMs, () =>
      this.fail(this.#whyNoAnswer(approvalTimeoutMs)),
    );
    for (const deadlines of SENT_AGAIN_AFTER)
      this.#timers.after((deadlines - 1) * requestTimeoutMs, () => this.#sendAgain(true));
  }

  /** While nobody waits, nothing is sent: perhaps nobody needs the answer any more. `wait` sends it then. */
  #sendAgain(asNewEvent: boolean): void {
    this.#isDue = !this.isWaitedFor;
    if (!this.#isDue) this.#delivery.sendAgain(asNewEvent);
  }

  #whyNoAnswer(withinMs: number): RepublishError {
    const { method, staysOpen, hint } = this.options;
    if (this.approvalUrl !== undefined) {
      return new RepublishError(
        'SignerApprovalPending',
        `the bunker asked a person to approve ${method}, and nobody did within ${withinMs} ms`,
      );
    }
    const trouble = this.#delivery.trouble(method);
    if (trouble !== undefined) return trouble;
    const perhaps = staysOpen || this.#isOverdue ? '; perhaps a person has to approve it there' : '';
    return new RepublishError(
      'SignerTimeout',
      `the bunker did not answer ${method} within ${withinMs} ms${perhaps}${hint()}`,
    );
  }
}

const LEFT = new Error('nobody waits for the request any more');
