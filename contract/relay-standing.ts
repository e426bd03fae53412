/**
 * Where a document stands on one relay: the publisher finds it out, the ledger stores it, the audit shows it.
 */
export interface RelayStanding {
  state: 'holds' | 'refused' | 'unreachable' | 'older' | 'newer' | 'absent';
  /** The relay's own words, or the network's; of `newer` the id of the event that stands there. */
  detail?: string;
}
