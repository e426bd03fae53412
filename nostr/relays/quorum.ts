/** How many relays must hold a document: more than half, all, or a number. */
export type Quorum = 'majority' | 'all' | number;

/** The quorum as a number of relays. */
export function quorumSize(quorum: Quorum, relays: number): number {
  if (quorum === 'majority') return Math.floor(relays / 2) + 1;
  return quorum === 'all' ? relays : quorum;
}
