import { within } from '../../async/wait';

/** How long the other relays are waited for after a quorum has answered. */
export interface Grace {
  ms: number;
  /** How long, where only relays are missing that were slow lately. */
  forLaggardsMs: number;
}

/** How long a slow relay counts as slow. */
const LAGGARD_MS = 60_000;

/** Relays that were slow lately. */
export class Laggards {
  readonly #untilMs = new Map<string, number>();

  has(url: string): boolean {
    return Date.now() < (this.#untilMs.get(url) ?? 0);
  }

  add(url: string): void {
    this.#untilMs.set(url, Date.now() + LAGGARD_MS);
  }

  remove(url: string): void {
    this.#untilMs.delete(url);
  }
}

/**
 * One question to several relays about several things. It waits for all of them, or for a quorum and a moment
 * more.
 */
export class Round {
  readonly #missing: Set<string>;
  /** For each thing: how many good answers are missing for a quorum. */
  readonly #lacks: number[];
  #open: number;
  #isOver = false;
  #quorumStands: () => void = () => undefined;
  readonly #quorum = new Promise<void>((resolve) => (this.#quorumStands = resolve));

  constructor(
    relays: Iterable<string>,
    things: number,
    required: number,
    private readonly laggards: Laggards,
  ) {
    this.#missing = new Set(relays);
    this.#lacks = Array<number>(things).fill(required);
    this.#open = required > 0 ? things : 0;
    if (this.#open === 0) this.#quorumStands();
  }

  /** A relay gave a good answer about one thing. Call it once for each relay and thing. */
  answered(thing: number): void {
    const lacks = (this.#lacks[thing] ?? 0) - 1;
    this.#lacks[thing] = lacks;
    if (lacks !== 0) return;
    this.#open -= 1;
    if (this.#open === 0) this.#quorumStands();
  }

  /** The relay answered. It was not slow, unless the round is over. */
  heard(url: string): void {
    if (!this.#isOver) this.laggards.remove(url);
  }

  /** Asks each relay. Resolves when the round is over; later answers change nothing. */
  async ask(question: (url: string) => Promise<void>, { ms, forLaggardsMs }: Grace): Promise<void> {
    const isLaggard = [...this.#missing].map((url) => this.laggards.has(url));
    const asked = [...this.#missing].map(async (url) => {
      await question(url);
      this.#missing.delete(url);
    });
    const all = Promise.all(asked);
    const quick = Promise.all(asked.filter((_, index) => !isLaggard[index]));
    const grace = async (): Promise<void> => {
      await this.#quorum;
      await within(all, forLaggardsMs);
      await within(quick, ms - forLaggardsMs);
    };
    await Promise.race([all, grace()]);
    this.#isOver = true;
    for (const url of this.#missing) this.laggards.add(url);
  }
}
