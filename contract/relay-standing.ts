/**
 * Where a document stands on one relay: what the publisher finds out, the ledger keeps and the audit tells.
 */
export interface RelayStanding {
  state: 'holds' | 'refused' | 'unreachable' | 'older' | 'newer' | 'absent';
  /** The relay's own words, or the network's; of `newer` the id of the event that stands there. */
  detail?: string;
}
