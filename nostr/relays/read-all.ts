import { sleep, within } from '../../async/wait';
import { withLastWords } from '../../rules/last-words';
import type { SignedEvent } from '../events';
import type { RelayConnection } from './connection';
import type { Filter } from './frames';

/** How much one relay is listened to: it may send without end. */
const MAX_PAGES = 200;
const PAGE_SIZE = 500;
/** Of contents and tags: documents are small, and what is kept is kept in memory. */
const MAX_CHARS = 64 * 1024 * 1024;
const CROWDED = 'it has more documents of one second than it sends at a time';

export interface ReadAllOptions {
  /** Bound of one page. */
  replyTimeoutMs: number;
  /**
   * How long to listen on after the first EOSE: through a gateway it is one relay's, and others may still
   * answer.
   */
  afterEoseMs: number;
}

/** What is there to read, and how much of it has been kept. */
interface Room {
  /** Not what the relay sends unasked. */
  isAsked(event: SignedEvent): boolean;
  charsLeft: number;
}

/** All that a relay has for a filter, or what came before it stopped answering. */
export interface ReadAll {
  /** By id; not verified. */
  events: SignedEvent[];
  /** Why there may be more than these; absent: there is not. */
  incomplete?: string;
}

/**
 * Reads everything that a relay has for a filter, page by page backwards in time (`until`). Relays send fewer
 * than they are asked for at a time, and do not say so: it ends with a page that brings nothing.
 */
export async function readAll(
  connection: RelayConnection,
  filter: Omit<Filter, 'until' | 'limit'>,
  options: ReadAllOptions,
): Promise<ReadAll> {
  const events = new Map<string, SignedEvent>();
  let until: number | undefined;
  /** The last page was of one second alone, and brought nothing new. */
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
    // What is later than was asked for would send us round in circles.
    const fitting = received.filter(({ created_at }) => until === undefined || created_at <= until);
    const before = events.size;
    for (const event of fitting) events.set(event.id, event);
    if (problem !== undefined) return result(problem);
    if (fitting.length === 0) return result(crowded ? CROWDED : undefined);
    // There was older than that second, and no room for it in the page: perhaps none for others of that
    // second either.
    crowded ||= stepped;
    const oldest = Math.min(...fitting.map(({ created_at }) => created_at));
    // Inclusive, for others of the same second; a page of nothing new has shown all of that second that will
    // be shown.
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
