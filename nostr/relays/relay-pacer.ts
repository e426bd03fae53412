import { sleep } from '../../async/wait';
import type { Heldback } from '../../rules/quorum';
import { Pace, type PaceSettings } from '../../rules/pace';

/** What a relay may take slowly. Each has a pace of its own. */
type Traffic = Heldback['traffic'];

/** A turn within this time is waited for. For a later one the caller has to come back. */
const WORTH_WAITING_MS = 3_000;
/** A refusal that is younger than this counts as a try for the other documents too. */
const JUST_NOW_MS = 5_000;

/** The pause after the first refusal. */
const FIRST_INTERVAL_MS = 1_000;
const PACE: PaceSettings = {
  refused: 2,
  passed: 0.6,
  margin: 1 / 0.85,
  carefully: (intervalMs) => intervalMs * 0.85,
  // Some relays count by the hour.
  maxIntervalMs: 120_000,
  minIntervalMs: 100,
};

/** The pace at which one relay takes events and questions from all callers. */
export class RelayPacer {
  readonly #paces: Record<Traffic, Pace> = { events: new Pace(PACE), questions: new Pace(PACE) };
  /** The relay's words at its last refusal. */
  readonly #words: Partial<Record<Traffic, string>> = {};

  isLimited(traffic: Traffic): boolean {
    return this.#paces[traffic].isLimited;
  }

  /** How many may be sent now, or soon enough to wait. */
  room(traffic: Traffic): number {
    return this.#paces[traffic].room(Date.now(), WORTH_WAITING_MS);
  }

  /** Waits for a turn. @returns undefined: it is there; otherwise when to come back */
  async turn(traffic: Traffic): Promise<Heldback | undefined> {
    const pace = this.#paces[traffic];
    for (;;) {
      const atMs = pace.reserve(Date.now(), WORTH_WAITING_MS);
      if (atMs === undefined) return this.heldback(traffic);
      const { slowedAtMs } = pace;
      await sleepUntil(atMs);
      // After a refusal meanwhile the turns that were given before do not count.
      if (pace.slowedAtMs === slowedAtMs) return undefined;
    }
  }

  heldback(traffic: Traffic): Heldback {
    const pace = this.#paces[traffic];
    const nowMs = Date.now();
    const wasTried = nowMs - pace.slowedAtMs < JUST_NOW_MS;
    return { traffic, words: this.#words[traffic] ?? '', wasTried, ...pace.now(nowMs) };
  }

  /** The relay has answered, and did not say that it is too much. */
  passed(traffic: Traffic): void {
    this.#paces[traffic].passed(Date.now());
  }

  refused(traffic: Traffic, sentAtMs: number, words: string): void {
    this.#words[traffic] = words;
    this.#paces[traffic].refused(sentAtMs, Date.now(), FIRST_INTERVAL_MS);
  }
}

async function sleepUntil(atMs: number): Promise<void> {
  const ms = atMs - Date.now();
  if (ms > 0) await sleep(ms);
}
