import { EventRepository } from '@nostr-relay/common';
import type { EventRepositoryUpsertResult, Filter as RelayFilter } from '@nostr-relay/common';
import { matchFilter } from 'nostr-tools/filter';
import type { Filter } from 'nostr-tools/filter';
import { isAddressableKind, isReplaceableKind } from 'nostr-tools/kinds';
import type { Event } from 'nostr-tools/core';

/** The address of a replaceable or addressable event (NIP-01). Undefined: a regular event. */
function addressOf(event: Event): string | undefined {
  if (isReplaceableKind(event.kind)) return `${event.kind}:${event.pubkey}:`;
  if (!isAddressableKind(event.kind)) return undefined;
  const d = event.tags.find((tag) => tag[0] === 'd')?.[1] ?? '';
  return `${event.kind}:${event.pubkey}:${d}`;
}

/** The order of NIP-01: newest first. With the same date the lowest id comes first. */
function compareNewestFirst(a: Event, b: Event): number {
  if (a.created_at !== b.created_at) return b.created_at - a.created_at;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/**
 * The events of the dev relay, in memory. At an address it keeps only the newest event (NIP-01). Ephemeral
 * events do not arrive here. A deletion request (NIP-09) is stored and has no effect; see `Deletions`.
 */
export class MemoryEventRepository extends EventRepository {
  private readonly eventsById = new Map<string, Event>();
  private readonly idByAddress = new Map<string, string>();

  constructor(private readonly keepPerAuthor = Infinity) {
    super();
  }

  isSearchSupported(): boolean {
    return false;
  }

  /** Stores the event. `isDuplicate`: it is known or superseded, so the relay does not broadcast it. */
  upsert(event: Event): EventRepositoryUpsertResult {
    if (this.eventsById.has(event.id)) return { isDuplicate: true };
    const address = addressOf(event);
    if (address !== undefined) {
      const currentId = this.idByAddress.get(address);
      const current = currentId === undefined ? undefined : this.eventsById.get(currentId);
      if (current !== undefined) {
        if (compareNewestFirst(current, event) < 0) return { isDuplicate: true };
        this.eventsById.delete(current.id);
      }
      this.idByAddress.set(address, event.id);
    }
    this.eventsById.set(event.id, event);
    this.dropOldest(event.pubkey);
    return { isDuplicate: false };
  }

  /** Drops the events of an author that arrived first, above `keepPerAuthor`. */
  private dropOldest(author: string): void {
    if (this.keepPerAuthor === Infinity) return;
    const own = [...this.eventsById.values()].filter(({ pubkey }) => pubkey === author);
    for (const { id } of own.slice(0, Math.max(0, own.length - this.keepPerAuthor)))
      this.eventsById.delete(id);
  }

  find(relayFilter: RelayFilter): Event[] {
    const filter = relayFilter as Filter;
    // By id: the relay calls this for each event that arrives, and a scan would make publishing quadratic.
    const candidates = filter.ids?.flatMap((id) => this.eventsById.get(id) ?? []) ?? [
      ...this.eventsById.values(),
    ];
    const found = candidates.filter((event) => matchFilter(filter, event)).sort(compareNewestFirst);
    return filter.limit === undefined ? found : found.slice(0, filter.limit);
  }

  async destroy(): Promise<void> {
    this.eventsById.clear();
    this.idByAddress.clear();
  }

  drop(eventId: string): void {
    this.eventsById.delete(eventId);
  }

  /** All stored events, newest first. */
  all(): Event[] {
    return [...this.eventsById.values()].sort(compareNewestFirst);
  }
}

/** Deletion requests (NIP-09): by event id, and by address for events that are not newer than the request. */
export class Deletions {
  private readonly ids = new Map<string, string>();
  private readonly untilS = new Map<string, number>();

  constructor(private readonly repository: MemoryEventRepository) {}

  heed(request: Event): void {
    if (request.kind !== 5) return;
    for (const [name, value = ''] of request.tags) {
      if (name === 'e') this.ids.set(value, request.pubkey);
      if (name === 'a') this.untilS.set(value, Math.max(request.created_at, this.untilS.get(value) ?? 0));
    }
    for (const event of this.repository.all()) if (this.cover(event)) this.repository.drop(event.id);
  }

  cover(event: Event): boolean {
    if (this.ids.get(event.id) === event.pubkey) return true;
    const address = addressOf(event);
    return address !== undefined && event.created_at <= (this.untilS.get(address) ?? -1);
  }
}
