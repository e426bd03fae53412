/**
 * Where a document stands on one relay: the publisher finds it out, the ledger stores it, the audit shows it.
 */
export interface RelayStanding {
  state: 'holds' | 'refused' | 'unreachable' | 'older' | 'newer' | 'absent';
  /** The words of the relay or of the network. For `newer`: the id of the newer event. */
  detail?: string;
}
