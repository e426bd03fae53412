import type { ProxyFault } from './fault-proxy';

interface TickingLimit {
  /** Tokens that a client has after a pause. */
  burst: number;
  /** Tokens that each tick adds. */
  perTick: number;
  everyMs: number;
}

/** What a relay in the manner of khatru has let through and refused. */
interface RelayLimits {
  fault: ProxyFault;
  events: Bucket;
  filters: Bucket;
}

/**
 * khatru's rate limits (`policies`): each EVENT counts, and each *filter* of a REQ, of which the first that
 * is too much ends the whole. Refusals cost nothing. The words are khatru's.
 */
export function khatruLimits(limits: { events: TickingLimit; filters: TickingLimit }): RelayLimits {
  const events = new Bucket(limits.events);
  const filters = new Bucket(limits.filters);
  const fault: ProxyFault = ({ type, filters: count = 0 }) => {
    if (type === 'EVENT' && !events.take(1))
      return { answer: { ok: false, message: 'rate-limited: slow down, please' } };
    if (type === 'REQ' && !filters.take(count))
      return {
        answer: {
          closed: 'rate-limited: there is a bug in the client, no one should be making so many requests',
        },
      };
    return undefined;
  };
  return { fault, events, filters };
}

class Bucket {
  taken = 0;
  refused = 0;
  #used = 0;
  #ticks = 0;
  readonly #beganAtMs = Date.now();

  constructor(private readonly limit: TickingLimit) {}

  /** @returns whether there was room for all */
  take(count: number): boolean {
    const { burst, perTick, everyMs } = this.limit;
    const ticks = Math.floor((Date.now() - this.#beganAtMs) / everyMs);
    this.#used = Math.max(0, this.#used - (ticks - this.#ticks) * perTick);
    this.#ticks = ticks;
    for (let each = 0; each < count; each += 1) {
      if (this.#used >= burst) {
        this.refused += 1;
        return false;
      }
      this.#used += 1;
      this.taken += 1;
    }
    return true;
  }
}
