import { sleep, within } from '../../async/wait';
import { withLastWords } from '../../rules/last-words';
import type { SignedEvent } from '../events';
import type { RelayConnection } from './connection';
import type { Filter } from './frames';

/** Bounds for one relay: it may send without end. */
const MAX_PAGES = 200;
const PAGE_SIZE = 500;
/** Most characters of contents and tags. Documents are small, and everything is kept in memory. */
const MAX_CHARS = 64 * 1024 * 1024;
const CROWDED = 'it has more documents of one second than it sends at a time';

export interface ReadAllOptions {
  /** Most time for one page. */
  replyTimeoutMs: number;
  /**
   * How long to listen after the first EOSE. Through a gateway it is from one relay, and others may still
   * answer.
   */
  afterEoseMs: number;
}

/** What may be kept. */
interface Room {
  /** False for events that nobody asked for. */
  isAsked(event: SignedEvent): boolean;
  charsLeft: number;
}

/** All events of a relay for a filter, or those that came before it stopped answering. */
export interface ReadAll {
  /** By id. Not verified. */
  events: SignedEvent[];
  /** Why there may be more; absent: these are all. */
  incomplete?: string;
}

/**
 * Reads all events of a relay for a filter, page by page backwards in time (`until`). Relays return fewer
 * than they are asked for, and do not say so: a page that brings nothing is the end.
 */
export async function readAll(
  connection: RelayConnection,
  filter: Omit<Filter, 'until' | 'limit'>,
  options: ReadAllOptions,
): Promise<ReadAll> {
  const events = new Map<string, SignedEvent>();
  let until: number | undefined;
  /** The last page was of one second only, and brought nothing new. */
  let stepped = false;
  let crowded = false;
  const room: Room = {
    isAsked: ({ kind, pubkey }) =>
      (filter.kinds?.includes(kind) ?? true) && (filter.authors?.includes(pubkey) ?? true),
    charsLeft: MAX_CHARS,
  };
  const result = (problem?: string): ReadAll => ({
    events: [...events.values()],
    ...(problem === undefined ? {} : { incomplete: problem }),
  });
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const asked = { ...filter, limit: PAGE_SIZE, ...(until === undefined ? {} : { until }) };
    const { received, problem } = await readPage(connection, asked, options, room);
    // Events later than `until` would lead round in circles.
    const fitting = received.filter(({ created_at }) => until === undefined || created_at <= until);
    const before = events.size;
    for (const event of fitting) events.set(event.id, event);
    if (problem !== undefined) return result(problem);
    if (fitting.length === 0) return result(crowded ? CROWDED : undefined);
    // The page before had events of one second only, and older events exist. So that page was full, and the
    // relay may hide more events of that second.
    crowded ||= stepped;
    const oldest = Math.min(...fitting.map(({ created_at }) => created_at));
    // `until` is inclusive, for others of the same second. A page without news has shown all of that second
    // that this relay will show.
    stepped = events.size === before;
    until = stepped ? oldest - 1 : oldest;
  }
  return result(`more than ${MAX_PAGES} pages`);
}

async function readPage(
  connection: RelayConnection,
  filter: Filter,
  { replyTimeoutMs, afterEoseMs }: ReadAllOptions,
  room: Room,
): Promise<{ received: SignedEvent[]; problem?: string }> {
  const received: SignedEvent[] = [];
  let answered = false;
  let end: (how: { problem?: string }) => void = () => undefined;
  const ended = new Promise<{ problem?: string }>((resolve) => (end = resolve));
  const subscription = connection.subscribe([filter], {
    onEvent(event) {
      if (received.length >= 2 * PAGE_SIZE || !room.isAsked(event)) return;
      room.charsLeft -= charsOf(event);
      if (room.charsLeft < 0) end({ problem: 'it sends more than can be kept' });
      else received.push(event);
    },
    onEose: () => {
      if (answered) return;
      answered = true;
      void sleep(afterEoseMs).then(() => end({}));
    },
    onClosed: (reason) => end({ problem: `read refused: ${reason}` }),
    onLost: (problem) => end({ problem }),
  });
  const how = await within(ended, replyTimeoutMs);
  subscription.close();
  return { received, ...(how ?? { problem: withLastWords('no answer to a read', connection.lastWords) }) };
}

function charsOf({ tags, content }: SignedEvent): number {
  const perEntry = 16;
  return tags.reduce(
    (chars, tag) => tag.reduce((sum, entry) => sum + entry.length + perEntry, chars + perEntry),
    content.length,
  );
}
