/** What decides between two events at one address. */
export interface Dated {
  id: string;
  created_at: number;
}

/** NIP-01: the highest `created_at` wins, of equal ones the lowest id. */
export function isNewer(event: Dated, than: Dated): boolean {
  return event.created_at !== than.created_at ? event.created_at > than.created_at : event.id < than.id;
}
