/**
 * Places at which the fault tests end the worker's process, as a power cut would. Each names its race:
 * something has happened, and the record of it is not written yet. In production they do nothing
 * (assembly/build-dependencies.ts).
 *
 * One more place lies inside the publisher: a relay has an EVENT, and its OK is still under way. There the
 * tests kill the worker from the relay's side.
 */
export type Failpoint =
  /**
   * The plan of some machines is in the ledger, and Temporal does not know it. They are loaded again, and
   * must not be planned again.
   */
  | 'after-load'
  /**
   * The signer is proved, and Temporal does not know it. It is proved again, and a page may already use it.
   */
  | 'after-proof'
  /**
   * The bunker has encrypted, and the ledger has no event yet. Another ciphertext follows, and only one may
   * become the seal.
   */
  | 'after-encrypt'
  /** The event is sealed, and the bunker was not asked. The next attempt must have this same event signed. */
  | 'after-seal'
  /** The bunker has signed, and the signature is lost. A second signature must be for the same event. */
  | 'after-sign'
  /**
   * The quorum holds the event, and the ledger does not know it. The event must be found there, and not be
   * replaced by another.
   */
  | 'after-quorum'
  /**
   * A page is settled, and Temporal does not know its counts. The next attempt finds nothing to do and
   * returns the same counts.
   */
  | 'after-settle'
  /** The sweep has written what it found, and Temporal does not know it. Everything is looked at again. */
  | 'after-sweep'
  /** The audit row is committed, and Temporal does not know it. The second call must return that row. */
  | 'after-audit';
