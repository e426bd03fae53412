import { ensureError } from '../../contract/failures';
import { Limiter } from '../../async/limiter';
import type { Sighting } from './document-relay';
import { plainText } from './plain-text';

/** Some relays close a connection that has more than ten subscriptions, and others live on the same one. */
const AT_ONCE = 4;
/** A relay that is refused within this time costs nobody anything. */
const QUICK_MS = 1_000;

type Unknown = Extract<Sighting, { kind: 'unknown' }>;

/**
 * The questions to one relay: a few at a time, whoever asks. A relay that answers nothing shall not hold up
 * every page. The first questions wait until their time is over. After that, and after a pause, one question
 * at a time finds out whether the relay is back; all others get the last answer at once.
 */
export class Questions {
  readonly #limiter = new Limiter(AT_ONCE);
  #answeredAtMs = 0;
  /** What the last question came to, while the relay is taken for silent. */
  #silent: Unknown | undefined;
  #askAgainAtMs = 0;
  /** Somebody finds out whether it answers again. */
  #isTried = false;

  constructor(private readonly pauseMs: number) {}

  /**
   * Asks about so many addresses, or says what is known of a silent relay. Never rejects.
   *
   * @param question undefined: the relay has answered, and has to be asked otherwise
   */
  ask(count: number, question: () => Promise<Sighting[] | undefined>): Promise<Sighting[] | undefined> {
    return this.#limiter.run(() => this.#ask(count, question));
  }

  /** The relay has said something. */
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
    // A relay that has answered others meanwhile is not silent: it has passed over one question.
    else if (this.#answeredAtMs < askedAtMs) {
      this.#silent = silent;
      this.#askAgainAtMs = Date.now() + this.pauseMs;
    }
    return sightings;
  }
}

/** What it came to, where nothing at all has come. */
export function silenceOf(sightings: readonly Sighting[]): Unknown | undefined {
  const [first] = sightings;
  if (first?.kind !== 'unknown') return undefined;
  return sightings.every((each) => each.kind === 'unknown' && each.isSilent) ? first : undefined;
}
