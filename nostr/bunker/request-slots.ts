import { RepublishError, traitsOf } from '../../contract/failures';
import type { RequestKind, RequestWindow } from '../../rules/window';
import type { Limiter } from '../../async/limiter';
import type { RequestPacer } from './request-pacer';
import type { BunkerRequest } from './request';

interface Turn {
  signal: AbortSignal | undefined;
  rank: number | undefined;
  /** Which latency of the window the request measures. Absent: none. */
  work: RequestKind | undefined;
}

/**
 * The slots for requests that are in flight at a bunker, and which request is next. The window sets the
 * number of slots by how requests end.
 */
export class RequestSlots {
  constructor(
    private readonly limiter: Limiter,
    private readonly pacer: RequestPacer,
    private readonly window: RequestWindow | undefined,
  ) {}

  /** A caller who asks for a slot now gets one soon. */
  get isNear(): boolean {
    return this.limiter.waiting < this.limiter.limit;
  }

  /**
   * Waits for a free slot, then sends the request. The slot is free again when the bunker has answered, or
   * when the request's time is over, even if the caller has left before.
   *
   * @param ask gets the callback for the moment in which a person is asked
   * @returns what `ask` returned
   */
  ask(
    ask: (onApprovalAsked: () => void) => BunkerRequest | undefined,
    { signal, rank, work }: Turn,
  ): Promise<BunkerRequest | undefined> {
    return new Promise((resolve, reject) => {
      const inTurn = async (): Promise<void> => {
        await this.pacer.take(signal);
        // The slot is free as soon as a person is asked: other operators may share this bunker.
        await new Promise<void>((free) => {
          const request = ask(() => {
            this.#setWindow((window) => window.restart());
            free();
          });
          resolve(request);
          if (request === undefined) free();
          else this.#tellWindow(request, work).then(free, free);
        });
      };
      this.limiter.run(inTurn, signal, rank).catch(reject);
    });
  }

  /** Tells the window how the request ends. Resolves after that. */
  async #tellWindow(request: BunkerRequest, work: RequestKind | undefined): Promise<void> {
    const sentAtMs = performance.now();
    // A request that waits for the pacer holds a slot already, and is not at the bunker yet.
    const inFlight = Math.max(1, this.limiter.running - this.pacer.waiting);
    try {
      await request.inTime;
      const latencyMs = performance.now() - sentAtMs;
      if (work !== undefined && request.isUndisturbed)
        this.#setWindow((window) => window.answered(work, latencyMs, inFlight));
    } catch (thrown) {
      if (work === undefined || !(thrown instanceof RepublishError)) return;
      if (traitsOf(thrown.type).slowsDown)
        this.#setWindow((window) => window.lost(sentAtMs, performance.now()));
    }
  }

  #setWindow(change: (window: RequestWindow) => void): void {
    if (this.window === undefined) return;
    change(this.window);
    this.limiter.limit = this.window.limit;
  }
}
