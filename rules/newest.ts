/** What decides between two events at one address. */
export interface Dated {
  id: string;
  /** Seconds. */
  created_at: number;
}

/** NIP-01: the highest `created_at` wins, of equal ones the lowest id. */
export function isNewer(event: Dated, than: Dated): boolean {
  return event.created_at !== than.created_at ? event.created_at > than.created_at : event.id < than.id;
}

/** The newest of some events; undefined of none. */
export function newestOf<Event extends Dated>(events: Iterable<Event>): Event | undefined {
  let newest: Event | undefined;
  for (const event of events) if (newest === undefined || isNewer(event, newest)) newest = event;
  return newest;
}
