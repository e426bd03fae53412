import { onTimeout } from '../../async/wait';
import type { SignedEvent } from '../events';
import type { RelayConnection } from './connection';
import type { Filter } from './frames';
import { meaningOfRefusal } from './refusals';

/** How the answer to a read ended, and the events so far. Only `eose` says that there are no others. */
export type ReadReply = { events: SignedEvent[] } &
  /** `isRepeated`: EOSE came more than once, so the first one was not the end. */
  (
    | { kind: 'eose'; isRepeated?: true }
    | { kind: 'closed'; reason: string }
    /** `words`: the relay's last words, about anything. */
    | { kind: 'timeout'; words?: string }
    | { kind: 'lost'; reason: string }
  );

/** The relay demands a login (NIP-42). */
export function wantsIdentity(reply: ReadReply): boolean {
  return reply.kind === 'closed' && meaningOfRefusal(reply.reason) === 'authenticate';
}

export interface ReadOptions {
  timeoutMs: number;
  /**
   * How long to listen after EOSE, by the events so far: some relays send it too early. Absent: not at all.
   */
  lingerMs?(events: readonly SignedEvent[]): number;
  /** All wanted events are there: the end is not waited for much longer. */
  isEnough?(events: readonly SignedEvent[]): boolean;
  /** Whether a NOTICE means that no answer will come. Absent: no NOTICE does. */
  isEnd?(notice: string): boolean;
}

/** More events of one filter are a flood, and are not read. */
const MAX_EVENTS_PER_FILTER = 100;
/** Some relays send no EOSE. */
const AFTER_ENOUGH_MS = 100;
/** Some relays send a challenge in place of an answer. Others send one to everybody, and then answer. */
const AFTER_CHALLENGE_MS = 2_000;
/** The reason that such a relay does not give itself, in the words of NIP-42. */
const ASKED_WHO = 'auth-required: it asks who we are, and says nothing else';

/** Reads the stored events for the filters, and says how the answer ended. */
export function readStored(
  connection: RelayConnection,
  filters: readonly Filter[],
  { timeoutMs, lingerMs, isEnough, isEnd }: ReadOptions,
): Promise<ReadReply> {
  return new Promise((resolve) => {
    const events: SignedEvent[] = [];
    let ends = 0;
    const settle = (reply: ReadReply): void => {
      stopTime();
      subscription.close();
      resolve(ends === 0 ? reply : { kind: 'eose', events, ...(ends > 1 ? { isRepeated: true } : {}) });
    };
    const silent = (): void => {
      const words = connection.lastWords;
      settle({ kind: 'timeout', events, ...(words === undefined ? {} : { words }) });
    };
    const deadlineMs = Date.now() + timeoutMs;
    let stopTime: () => void = () => undefined;
    const endIn = (ms: number, end: () => void): void => {
      stopTime();
      stopTime = onTimeout(ends > 0 ? ms : Math.min(ms, deadlineMs - Date.now()), end);
    };
    endIn(timeoutMs, silent);
    const lingerOrEnd = (): void => {
      const ms = lingerMs?.(events) ?? 0;
      if (ms === 0) silent();
      else endIn(ms, silent);
    };
    const subscription = connection.subscribe(filters, {
      onEvent: (event) => {
        if (events.length >= MAX_EVENTS_PER_FILTER * filters.length) return;
        events.push(event);
        if (ends > 0) {
          if (lingerMs?.(events) === 0) silent();
        } else if (isEnough?.(events)) endIn(AFTER_ENOUGH_MS, silent);
      },
      onEose: () => {
        ends += 1;
        if (ends === 1) lingerOrEnd();
      },
      onClosed: (reason) => settle({ kind: 'closed', reason, events }),
      onNotice: (text) => {
        if (isEnd?.(text)) silent();
      },
      onChallenge: () => {
        if (ends > 0 || events.length > 0) return;
        endIn(Math.min(AFTER_CHALLENGE_MS, timeoutMs / 2), () => {
          if (events.length === 0) settle({ kind: 'closed', reason: ASKED_WHO, events });
          else endIn(timeoutMs, silent);
        });
      },
      onLost: (reason) => settle({ kind: 'lost', reason, events }),
    });
  });
}
