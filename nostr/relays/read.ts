import type { SignedEvent } from '../events';
import type { Filter, RelayConnection } from './connection';

/** How the answer to a read ended, and what came until then. Only `eose` says that there is nothing else. */
export type ReadReply = { events: SignedEvent[] } & (
  | { kind: 'eose' }
  | { kind: 'closed'; reason: string }
  /** `notice`: what the relay said meanwhile, to nobody in particular. */
  | { kind: 'timeout'; notice?: string }
  | { kind: 'lost'; reason: string }
);

export interface ReadOptions {
  timeoutMs: number;
  /**
   * How long to listen on after EOSE, by what has come: some relays send it too early. Absent: not at all.
   */
  lingerMs?(events: readonly SignedEvent[]): number;
  /** Whether a NOTICE means that no answer will come. Absent: none does. */
  isEnd?(notice: string): boolean;
}

/** A relay that floods a read is not listened to beyond what could matter. */
const MAX_EVENTS_PER_FILTER = 100;

/** Reads what a relay has stored for the filters, and says how the answer ended. */
export function readStored(
  connection: RelayConnection,
  filters: readonly Filter[],
  { timeoutMs, lingerMs, isEnd }: ReadOptions,
): Promise<ReadReply> {
  return new Promise((resolve) => {
    const events: SignedEvent[] = [];
    let notice: string | undefined;
    let hasEnded = false;
    const settle = (reply: ReadReply): void => {
      clearTimeout(timer);
      subscription.close();
      resolve(hasEnded ? { kind: 'eose', events } : reply);
    };
    const silent = (): void =>
      settle({ kind: 'timeout', events, ...(notice === undefined ? {} : { notice }) });
    const lingerOrEnd = (): void => {
      const ms = lingerMs?.(events) ?? 0;
      if (ms === 0) return settle({ kind: 'eose', events });
      clearTimeout(timer);
      timer = setTimeout(silent, ms);
    };
    let timer = setTimeout(silent, timeoutMs);
    const subscription = connection.subscribe(filters, {
      onEvent: (event) => {
        if (events.length >= MAX_EVENTS_PER_FILTER * filters.length) return;
        events.push(event);
        if (hasEnded && lingerMs?.(events) === 0) lingerOrEnd();
      },
      onEose: () => {
        if (hasEnded) return;
        hasEnded = true;
        lingerOrEnd();
      },
      onClosed: (reason) => settle({ kind: 'closed', reason, events }),
      onNotice: (text) => {
        notice = text;
        if (isEnd?.(text)) silent();
      },
      onLost: (reason) => settle({ kind: 'lost', reason, events }),
    });
  });
}
