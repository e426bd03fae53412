import { ensureError } from '../../contract/failures';
import { Limiter } from '../../async/limiter';
import type { Sighting } from './document-relay';
import { plainText } from './plain-text';

/** Some relays close a connection with more than ten subscriptions, and others use the same connection. */
const AT_ONCE = 4;
/** A question that fails sooner, such as by a refused connection, does not make the relay count as silent. */
const QUICK_MS = 1_000;

type Unknown = Extract<Sighting, { kind: 'unknown' }>;

/**
 * The questions to one relay, a few at a time. A silent relay must not delay every page. The first questions
 * wait until their time is over. Then, after a pause, one question at a time finds out whether the relay is
 * back. All others get the last answer at once.
 */
export class Questions {
  readonly #limiter = new Limiter(AT_ONCE);
  #answeredAtMs = 0;
  /** The answer to the last question, while the relay counts as silent. */
  #silent: Unknown | undefined;
  #askAgainAtMs = 0;
  /** A question is finding out whether it is back. */
  #isTried = false;

  constructor(private readonly pauseMs: number) {}

  /**
   * Asks about so many addresses, or gives what is known of a silent relay. Never rejects.
   *
   * @param question undefined: the relay has answered, and has to be asked in another way
   */
  ask(count: number, question: () => Promise<Sighting[] | undefined>): Promise<Sighting[] | undefined> {
    return this.#limiter.run(() => this.#ask(count, question));
  }

  /** The relay has answered something. */
  noteAnswer(): void {
    this.#answeredAtMs = Date.now();
    this.#silent = undefined;
  }

  async #ask(
    count: number,
    question: () => Promise<Sighting[] | undefined>,
  ): Promise<Sighting[] | undefined> {
    if (this.#silent !== undefined && (this.#isTried || Date.now() < this.#askAgainAtMs))
      return Array<Sighting>(count).fill(this.#silent);
    const askedAtMs = Date.now();
    const isTrial = this.#silent !== undefined;
    if (isTrial) this.#isTried = true;
    const sightings = await question().catch((thrown: unknown): Sighting[] => {
      const isSlow = Date.now() - askedAtMs >= QUICK_MS;
      const reason = plainText(ensureError(thrown).message);
      return Array<Sighting>(count).fill({ kind: 'unknown', reason, ...(isSlow ? { isSilent: true } : {}) });
    });
    if (isTrial) this.#isTried = false;
    const silent = sightings === undefined ? undefined : silenceOf(sightings);
    if (silent === undefined) this.noteAnswer();
    // The relay has answered others meanwhile: it ignored one question, and is not silent.
    else if (this.#answeredAtMs < askedAtMs) {
      this.#silent = silent;
      this.#askAgainAtMs = Date.now() + this.pauseMs;
    }
    return sightings;
  }
}

/** The silence, where no address was answered. */
export function silenceOf(sightings: readonly Sighting[]): Unknown | undefined {
  const [first] = sightings;
  if (first?.kind !== 'unknown') return undefined;
  return sightings.every((each) => each.kind === 'unknown' && each.isSilent) ? first : undefined;
}
