import type { BunkerResult } from '../telemetry';

/**
 * How a command ends for a failure: something has to be put right before a run can begin, some documents
 * stand and some do not, the signer is at fault, or the command was called wrongly. The numbers are the
 * command line's (client/cli/exit-codes.ts).
 */
export type Exit = 'preflight' | 'partlyDone' | 'signer' | 'usage' | 'failed';

/**
 * Every trait of a failure. No room has a list of failure types of its own: a fact about a type is a trait
 * here.
 */
export interface FailureKind {
  /** What has happened, as a sentence. */
  meaning: string;
  /** What a person does about it, as a sentence; `<operator>` stands for the operator's id. */
  remedy: string;
  /**
   * What is at fault, and so who else meets with it: one document; all documents that need the same signer,
   * relays, database or worker; Temporal; or whoever asked for the run.
   */
  scope: 'document' | 'signer' | 'relay' | 'database' | 'worker' | 'temporal' | 'caller';
  /**
   * The same attempt may succeed later: Temporal tries it again, and a worker that starts waits for a while.
   */
  retryable?: true;
  /** How `republish` ends for it. Default: `signer` where the signer is at fault, else `failed`. */
  exit?: Exit;
  /** How a run ends for it. Default: `failed`. */
  runOutcome?: 'incomplete' | 'cancelled';
  /** Nothing goes on before a person has come: to ask again at once is in vain, or asks the person again. */
  needsPerson?: true;
  /** What one document has met, every other document of the same signer will meet too. */
  affectsAll?: true;
  /** The bunker is asked for more than it can do: fewer requests are kept in flight. */
  slowsDown?: true;
  /** Label of the metric that counts how requests to a bunker end. Absent: no request ends so. */
  bunkerResult?: BunkerResult;
  /**
   * It says nothing about the document itself: how its run ended decided it, or a person did. What is to be
   * mended stands with another failure.
   */
  decidedBy?: 'run' | 'person';
  /**
   * What a sweep finds of a signed document: too few relays keep it, or it is not what its machine should
   * get any more, so that it is not sent again. No later page undoes that; a sweep or a person does.
   */
  sweep?: 'lost' | 'outdated';
  /** The code of a document type may throw it about a state. */
  ofState?: true;
  /** The failure of the ledger's database that this is when LNbits' database is asked instead. */
  ofLnbits?: 'SourceUnavailable' | 'SourceMisconfigured';
  /**
   * It keeps a run that goes on from moving, and Temporal itself tells it: how the state of such a run is
   * called. `passing`: it is over in a minute, as a rule, and the state keeps its name.
   */
  obstacle?: 'stuck' | 'waits for a worker' | 'passing';
}
