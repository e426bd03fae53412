import { storable } from './free-text';

/**
 * How a command ends: something has to be put right before a run can begin, some documents stand and some do
 * not, or it was called wrongly. The numbers are the command line's (client/cli/exit-codes.ts).
 */
export type Exit = 'preflight' | 'partlyDone' | 'signer' | 'usage' | 'failed';

/**
 * Every way a run or a document can fail, by `ApplicationFailure.type`. The catalogue is the single source of
 * whether Temporal retries a failure and of the sentence that tells a person what to do.
 */
interface FailureKind {
  /** How `republish` ends for it. Absent: `signer` where a signer is at fault, else `failed`. */
  exit?: Exit;
  /** True: the same attempt may succeed later, so Temporal retries it within the activity's bound. */
  retryable: boolean;
  /**
   * What is at fault, and so who else meets with it: one document, or all that need the same signer, relays,
   * database or worker.
   */
  scope: 'document' | 'signer' | 'relay' | 'database' | 'worker' | 'temporal' | 'caller';
  /** A person has to come before it can be otherwise. */
  needsPerson?: true;
  /**
   * What one document has met every other one of the same signer will meet too, however often it is asked.
   */
  affectsAll?: true;
  meaning: string;
  remedy: string;
}

export const FAILURES = {
  InvalidInput: {
    retryable: false,
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The workflow was started with an input it cannot accept.',
    remedy: 'Correct the input as the message says and start again; nothing was changed.',
  },
  OperatorNotFound: {
    retryable: false,
    scope: 'caller',
    exit: 'preflight',
    meaning: 'No account with that id, or the account has no valid public key.',
    remedy:
      'Check the operator user id (accounts.id in LNbits) and LNBITS_DATABASE_URL and "queries.account".',
  },
  MachineNotFound: {
    retryable: false,
    scope: 'caller',
    exit: 'preflight',
    meaning: 'A machine was asked for that the operator does not have.',
    remedy:
      'Check the machine ids against dca_machines for this operator, or leave them out (--machine, machineIds) for all.',
  },
  UnknownDocumentType: {
    retryable: false,
    scope: 'caller',
    exit: 'preflight',
    meaning: 'A document type was asked for that no worker knows.',
    remedy:
      'Use one of the types named in the message, or name the module that defines the type in "documentTypes" of the configuration, for the workers and for this command alike.',
  },
  WorkerOutdated: {
    retryable: true,
    scope: 'temporal',
    meaning: 'A worker of an older release took a document of a type that it does not know.',
    remedy: 'Deploy the same release to all workers of the task queue.',
  },
  SignerNotConfigured: {
    retryable: false,
    scope: 'signer',
    meaning: 'The operator has no signer.',
    remedy:
      'Pair one: republish signer add <operator> --bunker (or --local), or set what the message names, then start again.',
  },
  SignerPubkeyMismatch: {
    retryable: false,
    scope: 'signer',
    meaning: "The signer's public key is not the account's (or not the expected one).",
    remedy:
      "Compare `republish signer check <operator>` with accounts.pubkey, and with --expected-pubkey where that was given; pair the account's own bunker or correct the account, then start again. It was given no document.",
  },
  SignerUnlockFailed: {
    retryable: false,
    scope: 'signer',
    meaning: 'The stored signer could not be decrypted.',
    remedy:
      'Use the REPUBLISH_SECRETS_KEY under which the signer was added; if it is lost: republish signer remove <operator>, then add the signer again.',
  },
  SignerUnreadable: {
    retryable: false,
    scope: 'signer',
    meaning: "What LNbits keeps as the account's signer is no key that can be read.",
    remedy:
      'Check accounts.signer_type, signer_config and prvkey of the operator, or pair a signer here: republish signer add <operator> --bunker.',
  },
  SignerTimeout: {
    retryable: true,
    scope: 'signer',
    meaning: 'The bunker did not answer within the deadline.',
    remedy:
      'Check that the bunker is running and online (republish signer check <operator>), and whether somebody has to approve in it; then start again. One that has forgotten this client has to be paired again, with a new URI: republish signer add <operator> --bunker.',
  },
  SignerUnreachable: {
    retryable: true,
    scope: 'signer',
    meaning: "None of the bunker's relays can be reached, or all of them refuse the requests.",
    remedy: "Check the bunker's relays and this host's network, then start again.",
  },
  SignerRefused: {
    retryable: false,
    scope: 'signer',
    meaning: 'The bunker answered the request with an error.',
    remedy: 'Allow nip44_encrypt and sign_event:30078 for this client in the bunker, then start again.',
  },
  SignerBusy: {
    retryable: true,
    scope: 'signer',
    meaning: 'The bunker answered that it is asked for too much, or cannot do it now.',
    remedy:
      'Give it time: a run asks again by itself, more slowly, for as long as a document may wait (REPUBLISH_DOCUMENT_TIMEOUT_MS). Where it ended so, raise the limits of the bunker, or start again.',
  },
  SignerPending: {
    retryable: true,
    scope: 'signer',
    needsPerson: true,
    meaning: 'The bunker answered that it is locked, or that a person has to approve there first.',
    remedy:
      'Unlock it, or approve in the bunker itself, then the same again: a run asks by itself every half minute, for as long as a document may wait (REPUBLISH_DOCUMENT_TIMEOUT_MS).',
  },
  SignerApprovalPending: {
    retryable: true,
    scope: 'signer',
    needsPerson: true,
    meaning: 'The bunker waits for a person to approve the request.',
    remedy:
      'Open the approval page that the bunker named (republish status <operator>), approve, then start again.',
  },
  SignerReturnedWrongEvent: {
    retryable: false,
    scope: 'signer',
    meaning: 'The bunker returned something other than what it was asked to sign or encrypt.',
    remedy:
      'Do not trust this bunker until it is understood: check its version and which key it holds. This document was not published; start again when the run has ended.',
  },
  SignerChangesEvents: {
    retryable: false,
    scope: 'signer',
    affectsAll: true,
    meaning: 'The bunker signs with the right key, and changes what it signs: the date, tags or content.',
    remedy:
      'Update the bunker, or pair another one: republish signer add <operator> --bunker; republish signer check <operator> shows whether that one signs what it is given. Nothing of it was published.',
  },
  SignerCannotEncrypt: {
    retryable: false,
    scope: 'signer',
    meaning: 'What the signer encrypts cannot be read by a machine, or is not the text it was given.',
    remedy:
      'No machine could read what this signer makes. Update the bunker, or pair another one: republish signer add <operator> --bunker. It was given no document.',
  },
  PlanOutdated: {
    retryable: false,
    scope: 'document',
    meaning:
      "The account's key, the machine's key or the machine's owner is another one than when the run was planned.",
    remedy:
      "Start again when the run has ended: the new run plans by what LNbits says now. Where the run holds: republish cancel <operator> if the account's key has changed; for a machine republish retry <operator> and, if it fails again, republish skip <operator> --machine <id>.",
  },
  StateChanged: {
    retryable: false,
    scope: 'document',
    meaning: "The machine's state was changed while the run went on, and the newest is not published.",
    remedy:
      'Start again when the run has ended: the new run publishes the state as it is now. A run that holds cannot: republish skip <operator> --machine <id>, or republish cancel <operator>. If it comes again without a save in LNbits, the document type makes another state of the same rows (times, random values): mend it.',
  },
  DocumentLost: {
    retryable: false,
    scope: 'relay',
    meaning: 'Relays had the document, and when all were done too few of them had it still.',
    remedy:
      'The relays keep too few events of one author, or delete them: ask whoever runs them, or use others that the machines read too (REPUBLISH_RELAYS on the workers; restart them). Then start again, or republish retry <operator> where the run holds. The same relays bring the same.',
  },
  StateInvalid: {
    retryable: false,
    scope: 'document',
    meaning: 'The state in the database is not valid for the document type.',
    remedy:
      'Correct the row that the message names, or the module of a document type of your own, then start again; the other documents are not affected.',
  },
  StateTooLarge: {
    retryable: false,
    scope: 'document',
    meaning: 'The state is larger than a machine or relay accepts in one encrypted event.',
    remedy:
      'Shorten the state, or raise REPUBLISH_MAX_STATE_BYTES on the workers if bunker, relays and machines all take more.',
  },
  MachineKeyInvalid: {
    retryable: false,
    scope: 'document',
    meaning: "The machine's machine_npub is not a usable public key, or two machines share it.",
    remedy: 'Correct machine_npub of the machine that the message names, then start again.',
  },
  RelayQuorumNotReached: {
    retryable: true,
    scope: 'relay',
    meaning: 'Fewer relays than the quorum hold the document.',
    remedy:
      'Check the relays that the message names, or change REPUBLISH_RELAYS or REPUBLISH_QUORUM on the workers and restart them; then start again.',
  },
  RelayThrottled: {
    retryable: true,
    scope: 'relay',
    meaning: 'A relay takes events or questions slowly, and the quorum needs it.',
    remedy:
      'Give it time: a run sends as fast as the relay takes it, says until when it waits, and fails a document only where the relay lets nothing at all through (REPUBLISH_DOCUMENT_TIMEOUT_MS). Where it ended so: have the limits of the relay raised, or use others (REPUBLISH_RELAYS on the workers; restart them), then start again.',
  },
  RelayRefused: {
    retryable: false,
    scope: 'relay',
    meaning: 'So many relays refused the document for good that the quorum cannot be reached.',
    remedy: 'See the reason of each relay in the message; use relays that accept this key and kind 30078.',
  },
  NewerDocumentExists: {
    retryable: false,
    scope: 'document',
    meaning:
      'A document dated so far in the future stands at the address that relays would refuse a newer one.',
    remedy:
      'Wait until the date in the message has come within 15 minutes, or delete that event, then start again.',
  },
  ClockWrong: {
    retryable: true,
    scope: 'worker',
    meaning:
      'The clock of a worker is more than a minute off, as two others say: relays, or a Postgres on another machine.',
    remedy:
      "Set the clock of the worker's host (NTP: timedatectl, chronyc makestep); republish doctor on that host compares it again. Nothing was dated by it. A run goes on by itself for as long as a document may wait (REPUBLISH_DOCUMENT_TIMEOUT_MS); where it ended so, start again.",
  },
  DatabaseUnavailable: {
    retryable: true,
    scope: 'database',
    exit: 'preflight',
    meaning: 'Postgres could not be reached or could not take the statement now.',
    remedy: 'Check DATABASE_URL, and that Postgres is up, writable and not out of connections or disk.',
  },
  DatabaseMisconfigured: {
    retryable: false,
    scope: 'database',
    exit: 'preflight',
    meaning: 'Postgres refused a statement for good: a table, column or right is missing.',
    remedy:
      'Check DATABASE_URL (database, user), "queries" in REPUBLISH_CONFIG against the tables, and the rights of the user; for the schema `republish` itself: republish migrate.',
  },
  SourceUnavailable: {
    retryable: true,
    scope: 'database',
    exit: 'preflight',
    meaning: "LNbits' database could not be reached, or could not be read now.",
    remedy:
      'Check LNBITS_DATABASE_URL (default: DATABASE_URL): that Postgres is up, or that the folder with database.sqlite3 is there and readable.',
  },
  SourceMisconfigured: {
    retryable: false,
    scope: 'database',
    exit: 'preflight',
    meaning:
      "LNbits' database is not as the configuration says: a table, column, right or the extension itself is missing.",
    remedy:
      'Check LNBITS_DATABASE_URL, "preset" and "queries" in the configuration against the tables, and the rights of the user; republish doctor names the query.',
  },
  SuperConfigMissing: {
    retryable: false,
    scope: 'database',
    meaning:
      'The table super_config has no row. The extension always has one, so this is the wrong database.',
    remedy:
      'Check that LNBITS_DATABASE_URL and "preset" lead to the database that LNbits really uses, then start again.',
  },
  ActivityTimeout: {
    retryable: false,
    scope: 'temporal',
    meaning: 'The step did not end within its bound, without a reason of its own.',
    remedy: 'Check that workers are running on the task queue, then start again.',
  },
  RunStuck: {
    retryable: false,
    scope: 'temporal',
    meaning:
      "Workers take the run's next step and fail with it each time (the workflow task of Temporal): nothing is decided, and nothing is lost, until that is mended.",
    remedy:
      'Mend what the message names: an unknown encoding needs the data converter of whoever started the run, in the workers too; for a search attribute of another type see republish doctor; after nondeterminism put the earlier build back (docs/operations.md). Then the run goes on by itself. To give it up as it is: republish end <operator>.',
  },
  NoWorker: {
    retryable: false,
    scope: 'temporal',
    meaning: 'Nobody polls the task queue of the run, so that it waits.',
    remedy:
      'Start one: republish worker, with REPUBLISH_TASK_QUEUE, TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE as the run has them; it goes on by itself. Was it started on a wrong queue: republish end <operator>, then start again.',
  },
  NoWorkerOfRelease: {
    retryable: false,
    scope: 'temporal',
    meaning:
      'Workers poll the task queue of the run, and none is of the build to which Temporal gives it (Worker Versioning).',
    remedy:
      'Start a worker of the build that the message names, or make the build of those that are there the current one: temporal worker deployment set-current-version (docs/operations.md, "With Worker Versioning").',
  },
  WorkerSilent: {
    retryable: false,
    scope: 'temporal',
    meaning: 'Workers poll the task queue of the run, or have done so a moment ago, and none has answered.',
    remedy:
      'Look again in a minute: a worker that has ended is counted for so long. If it stays so, see the log of the workers, and that they have the same TEMPORAL_NAMESPACE.',
  },
  RunEnded: {
    retryable: false,
    scope: 'caller',
    meaning:
      'Somebody ended the run by `republish end`: it was terminated in Temporal, and its audit was written from the ledger.',
    remedy:
      'Start again when what kept the run is mended: only what is missing is done. What was sent before may stand: republish verify <operator>.',
  },
  NotAttempted: {
    retryable: false,
    scope: 'document',
    meaning: 'The run ended before this document was begun.',
    remedy:
      'Mend what ended the run (status and audit name it), then start again: only what is missing is done.',
  },
  GivenUp: {
    retryable: false,
    scope: 'document',
    meaning: 'Somebody gave this document up (`republish skip`); it counts as skipped.',
    remedy: 'Start again when it is to be published after all: only what is missing is done.',
  },
  Interrupted: {
    retryable: false,
    scope: 'document',
    meaning: 'The run was cancelled while this document was in work.',
    remedy: 'Start again: the document keeps what was reached and only the rest is done.',
  },
  ResultTooLarge: {
    retryable: false,
    scope: 'caller',
    meaning: 'The run is complete, and has more event ids than a result can carry.',
    remedy: 'Nothing has to be done again: read the ids with republish audit <operator>.',
  },
  RepublishIncomplete: {
    retryable: false,
    scope: 'document',
    exit: 'partlyDone',
    meaning: 'Some documents could not be republished; the others stand.',
    remedy: 'Mend what the failures name, then start again: only what is missing is done.',
  },
  LedgerIncomplete: {
    retryable: false,
    scope: 'database',
    exit: 'partlyDone',
    meaning:
      'The ledger has fewer documents of the run than were planned: the database was put back to an earlier state meanwhile, by a restore or by a failover to a standby that lagged.',
    remedy: 'Start again: the run plans anew and does what is missing.',
  },
  SequenceBehind: {
    retryable: true,
    scope: 'database',
    meaning:
      'Postgres numbers the rows of a table, and the next number is taken already: sequences are not copied by logical replication, so after a switch-over they are behind.',
    remedy:
      'As the owner of the schema: republish migrate (it sets the sequences behind the rows). A run goes on by itself then.',
  },
  Unexpected: {
    retryable: true,
    scope: 'document',
    meaning: 'An error that has no name of its own.',
    remedy: 'See the worker log for the same run; if it persists, report it.',
  },
} as const satisfies Record<string, FailureKind>;

export type FailureType = keyof typeof FAILURES;

/**
 * A failure as data: what crosses to the workflow, the audit and the caller. The message holds no secret and
 * no state.
 */
export interface Failure {
  type: FailureType;
  message: string;
}

/** A document that could not be republished. */
export interface DocumentFailure extends Failure {
  documentType: string;
  machineId: string;
  /** As the operator calls it, at most 100 characters; its id, or absent: it has no name. */
  machineName?: string;
}

export function isFailureType(type: unknown): type is FailureType {
  return typeof type === 'string' && Object.hasOwn(FAILURES, type);
}

/**
 * Whatever stands in a history or a row: a type that this build does not know is as one without a name, and
 * never the end of whoever reads it.
 */
function kindOf(type: FailureType): FailureKind {
  return FAILURES[isFailureType(type) ? type : 'Unexpected'];
}

export function meaningOf(type: FailureType): string {
  return kindOf(type).meaning;
}

export function remedyFor(type: FailureType): string {
  return kindOf(type).remedy;
}

export function scopeOf(type: FailureType): FailureKind['scope'] {
  return kindOf(type).scope;
}

export function exitOf(type: FailureType): Exit {
  const { exit, scope } = kindOf(type);
  return exit ?? (scope === 'signer' ? 'signer' : 'failed');
}

/**
 * Nothing goes on before somebody has come: whoever asks again at once asks in vain, or asks a person again.
 */
export function needsPerson(type: FailureType): boolean {
  return kindOf(type).needsPerson === true;
}

/** Whoever has met it once need not ask for the next document. */
export function affectsAll(type: FailureType): boolean {
  return kindOf(type).affectsAll === true;
}

export function isRetryable(type: FailureType): boolean {
  return kindOf(type).retryable;
}

/** Longest message that is let into history: enough for a name, a cause and each relay's reason. */
const MAX_MESSAGE_LENGTH = 1000;

/**
 * The error that every room below the activities throws. It carries its catalogue type, so that nobody has to
 * guess from a message whether to retry.
 */
export class RepublishError extends Error {
  override readonly name = 'RepublishError';

  constructor(
    readonly type: FailureType,
    message: string,
    /** When another attempt may go better, where that is known; absent: as the retry policy says. */
    readonly retryAfterMs?: number,
    /** Where the message is of something that the catalogue's sentence does not fit. */
    readonly remedy: string = FAILURES[type].remedy,
  ) {
    // Cutting can leave half of a character.
    super(storable(message.slice(0, MAX_MESSAGE_LENGTH)));
  }
}

/**
 * Turns anything that was thrown into an Error (nostr libraries reject with strings, Node with
 * AggregateError).
 */
export function ensureError(thrown: unknown): Error {
  if (thrown instanceof AggregateError && thrown.message === '') {
    return new Error(thrown.errors.map((inner) => ensureError(inner).message).join('; '), { cause: thrown });
  }
  if (thrown instanceof Error) return thrown;
  // An error of another realm is no instance of ours; an object without a prototype has no text, and asking
  // for it throws.
  if (typeof thrown !== 'object' || thrown === null) return new Error(String(thrown));
  const { message } = thrown as { message?: unknown };
  return new Error(typeof message === 'string' ? message : 'an object was thrown that is no error', {
    cause: thrown,
  });
}
