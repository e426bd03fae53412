import { sleep } from '../../async/wait';
import type { Heldback } from '../../rules/quorum';
import { Throttle } from '../../rules/throttle';

/** What a relay may take slowly; each has a pace of its own. */
type Traffic = Heldback['traffic'];

/** A turn that comes no later than this is waited for; for another one somebody has to come back. */
const WORTH_WAITING_MS = 3_000;
/**
 * A refusal that is no older than this counts for the other documents too: it would have met them as well.
 */
const JUST_NOW_MS = 5_000;

/** One pacer for each relay, whoever sends to it. */
export class RelayPacer {
  readonly #throttles: Record<Traffic, Throttle> = { events: new Throttle(), questions: new Throttle() };
  /** What the relay said when it refused last. */
  readonly #words: Partial<Record<Traffic, string>> = {};

  isLimited(traffic: Traffic): boolean {
    return this.#throttles[traffic].isLimited;
  }

  /** How many may be sent now, or soon enough to wait for it. */
  room(traffic: Traffic): number {
    return this.#throttles[traffic].room(Date.now(), WORTH_WAITING_MS);
  }

  /** Waits for a turn. @returns undefined: it is there; else when to come back, since it is too far away */
  async turn(traffic: Traffic): Promise<Heldback | undefined> {
    const throttle = this.#throttles[traffic];
    for (;;) {
      const atMs = throttle.reserve(Date.now(), WORTH_WAITING_MS);
      if (atMs === undefined) return this.heldback(traffic);
      const { slowedAtMs } = throttle;
      await sleepUntil(atMs);
      // Refused meanwhile: the turns that were given before are none any more.
      if (throttle.slowedAtMs === slowedAtMs) return undefined;
    }
  }

  heldback(traffic: Traffic): Heldback {
    const throttle = this.#throttles[traffic];
    const nowMs = Date.now();
    const wasTried = nowMs - throttle.slowedAtMs < JUST_NOW_MS;
    return { traffic, words: this.#words[traffic] ?? '', wasTried, ...throttle.now(nowMs) };
  }

  /** The relay has answered, and not that it is too much. */
  passed(traffic: Traffic): void {
    this.#throttles[traffic].passed(Date.now());
  }

  refused(traffic: Traffic, sentAtMs: number, words: string): void {
    this.#words[traffic] = words;
    this.#throttles[traffic].refused(sentAtMs, Date.now());
  }
}

async function sleepUntil(atMs: number): Promise<void> {
  const ms = atMs - Date.now();
  if (ms > 0) await sleep(ms);
}
