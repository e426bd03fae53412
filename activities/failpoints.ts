/**
 * Places at which the fault tests end the worker's process, as a power cut would. Each names the race that
 * opens there: something has happened, and what says so is not written yet. In production they do nothing
 * (assembly/build-dependencies.ts).
 *
 * One more place, an EVENT that a relay has and whose OK is still under way, lies inside the publisher; the
 * tests kill the worker from the relay's side there.
 */
export type Failpoint =
  /**
   * The plan of some machines is in the ledger, and Temporal does not know: they are loaded again and must
   * not be planned anew.
   */
  | 'after-load'
  /**
   * The signer is proved, and Temporal does not know: it is proved again, and a page may be given to it all
   * the same.
   */
  | 'after-proof'
  /**
   * The bunker has encrypted, and the ledger has no event yet: another ciphertext follows, and only one may
   * become the seal.
   */
  | 'after-encrypt'
  /** The event is sealed, and the bunker was not asked: whoever goes on must have this very event signed. */
  | 'after-seal'
  /** The bunker has signed, and the signature is lost: a second one must be for the same event. */
  | 'after-sign'
  /**
   * The quorum holds the event, and the ledger does not say so: it must be found there, not published as
   * another.
   */
  | 'after-quorum'
  /**
   * A page is settled, and Temporal does not know its counts: the next attempt finds nothing to do, and
   * counts the same.
   */
  | 'after-settle'
  /** The sweep has written what it found, and Temporal does not know: all is looked at again. */
  | 'after-sweep'
  /**
   * The audit row is committed, and Temporal does not know: the second call must give the first one's row.
   */
  | 'after-audit';
