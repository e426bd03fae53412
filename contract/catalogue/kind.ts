import type { BunkerResult } from '../telemetry';

/**
 * How a command ends for a failure: something has to be put right before a run can begin, some documents
 * stand and some do not, the signer is at fault, or the command was called wrongly. The numbers are the
 * command line's (client/cli/exit-codes.ts).
 */
export type Exit = 'preflight' | 'partlyDone' | 'signer' | 'usage' | 'failed';

/** A run that holds still owns its documents: `start` would only attach to it. */
const IF_IT_HOLDS = ', or if the run holds: republish retry <operator>';
/** What a person does after a repair, in the middle of a remedy. */
export const AGAIN = `start again${IF_IT_HOLDS}`;
/** The same where `retry` does not help: what the run was opened with, or has sealed, is wrong. */
export const AGAIN_ANEW = 'start again; if the run holds, end it first: republish cancel <operator>';

/** What a failure is told about. A run has the failures of its documents; a fleet has only its own. */
export type Subject = 'run' | 'fleet';

/** The words for a failure of a run or of a fleet. */
export interface Words {
  /** What has happened, as a sentence. */
  meaning: string;
  /** What a person does about it, as a sentence; `<operator>` stands for the operator's id. */
  remedy: string;
}

/** The parts of sentences about a run that are others about a fleet. */
interface Parts {
  subject: Subject;
  /** A command for it, such as `republish end <operator>` or `republish fleet end`. */
  command(name: 'audit' | 'cancel' | 'end' | 'start' | 'status'): string;
  verify: string;
  /** As AGAIN. A fleet never holds. */
  again: string;
  /** As AGAIN_ANEW. */
  againAnew: string;
}

const OF_RUN: Parts = {
  subject: 'run',
  command: (name) => `republish ${name} <operator>`,
  verify: 'republish verify <operator>',
  again: AGAIN,
  againAnew: AGAIN_ANEW,
};
const OF_FLEET: Parts = {
  subject: 'fleet',
  command: (name) => `republish fleet ${name}`,
  verify: 'republish fleet verify --all',
  again: 'start again',
  againAnew: 'start again',
};

/** The words for a failure that a fleet itself can have, too: written once, told of either. */
export function ofBoth(words: (parts: Parts) => Words): Words & { ofFleet: Words } {
  return { ...words(OF_RUN), ofFleet: words(OF_FLEET) };
}

/**
 * Every trait of a failure. No room has a list of failure types of its own: a fact about a type is a trait
 * here.
 */
export interface FailureKind extends Words {
  /** The words where a fleet itself has the failure. Absent: they are the same. */
  ofFleet?: Words;
  /**
   * What is at fault, and so who else meets it: one document; all documents that need the same signer,
   * relays, database or worker; Temporal; or the caller.
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
  /** A person must act first. A request before that fails, or asks the person again. */
  needsPerson?: true;
  /**
   * The signer is there and lets documents wait, for its rate or for a person. While it signs others of the
   * run, no document fails for that.
   */
  letsWait?: true;
  /** If one document has this failure, every other document of the same signer will have it too. */
  affectsAll?: true;
  /** The bunker is asked for more than it can do: fewer requests are kept in flight. */
  slowsDown?: true;
  /** Label of the metric that counts how requests to a bunker end. Absent: no request ends so. */
  bunkerResult?: BunkerResult;
  /**
   * It is not about the document itself: the end of the run decided it, or a person. Another failure names
   * what is to be corrected.
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
   * The failure keeps a running run from progress, and is read from Temporal's API. The value is the state
   * that is shown. `passing`: usually over within a minute, so the shown state does not change.
   */
  obstacle?: 'stuck' | 'waits for a worker' | 'passing';
}
