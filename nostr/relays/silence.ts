import { ensureError } from '../../contract/failures';
import type { Sighting } from './document-relay';
import { plainText } from './plain-text';

/** A relay that is refused within this time costs nobody anything. */
const QUICK_MS = 1_000;

type Unknown = Extract<Sighting, { kind: 'unknown' }>;

interface Known {
  answeredAtMs: number;
  /** What the last question came to, while the relay is taken for silent. */
  silent?: Unknown;
  askAgainAtMs: number;
  /** Somebody finds out whether it answers again. */
  isTried: boolean;
}

/**
 * Which relays answer nothing, so that two hundred documents do not each wait for the same one. The first questions wait
 * to their end; after that one at a time finds out, after a pause, whether the relay is back, and the others are told at once
 * what the last one was.
 */
export class SilentRelays {
  readonly #known = new Map<string, Known>();

  constructor(private readonly pauseMs: number) {}

  /** Asks, or says what is known of a silent relay. Never rejects. */
  async ask(url: string, question: () => Promise<Sighting>): Promise<Sighting> {
    const known = this.#of(url);
    if (known.silent !== undefined && (known.isTried || Date.now() < known.askAgainAtMs)) return known.silent;
    const askedAtMs = Date.now();
    const isTrial = known.silent !== undefined;
    if (isTrial) known.isTried = true;
    let sighting: Sighting;
    try {
      sighting = await question();
    } catch (thrown) {
      const isSlow = Date.now() - askedAtMs >= QUICK_MS;
      const reason = plainText(ensureError(thrown).message);
      sighting = { kind: 'unknown', reason, ...(isSlow ? { isSilent: true } : {}) };
    }
    if (isTrial) known.isTried = false;
    if (sighting.kind !== 'unknown' || !sighting.isSilent) this.noteAnswer(url);
    // A relay that has answered others meanwhile is not silent: it has passed over one question.
    else if (known.answeredAtMs < askedAtMs) {
      known.silent = sighting;
      known.askAgainAtMs = Date.now() + this.pauseMs;
    }
    return sighting;
  }

  noteAnswer(url: string): void {
    const known = this.#of(url);
    known.answeredAtMs = Date.now();
    delete known.silent;
  }

  #of(url: string): Known {
    const known = this.#known.get(url) ?? { answeredAtMs: 0, askAgainAtMs: 0, isTried: false };
    this.#known.set(url, known);
    return known;
  }
}
