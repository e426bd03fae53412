import type { FailureKind } from './kind';

/** What is wrong with one document: the others go on. */
export const DOCUMENT = {
  PlanOutdated: {
    scope: 'document',
    sweep: 'outdated',
    meaning:
      "The account's key, the machine's key or the machine's owner is another one than when the run was planned.",
    remedy:
      "Start again when the run has ended: the new run plans by what LNbits says now. Where the run holds: republish cancel <operator> if the account's key has changed; for a machine republish retry <operator> and, if it fails again, republish skip <operator> --machine <id>.",
  },
  StateChanged: {
    scope: 'document',
    sweep: 'outdated',
    meaning: "The machine's state was changed while the run went on, and the newest is not published.",
    remedy:
      'Start again when the run has ended: the new run publishes the state as it is now. A run that holds cannot: republish skip <operator> --machine <id>, or republish cancel <operator>. If it comes again without a save in LNbits, the document type makes another state of the same rows (times, random values): mend it.',
  },
  StateInvalid: {
    scope: 'document',
    ofState: true,
    meaning: 'The state in the database is not valid for the document type.',
    remedy:
      'Correct the row that the message names, or the module of a document type of your own, then start again; the other documents are not affected.',
  },
  StateTooLarge: {
    scope: 'document',
    ofState: true,
    meaning: 'The state is larger than a machine or relay accepts in one encrypted event.',
    remedy:
      'Shorten the state, or raise REPUBLISH_MAX_STATE_BYTES on the workers if bunker, relays and machines all take more.',
  },
  MachineKeyInvalid: {
    scope: 'document',
    meaning: "The machine's machine_npub is not a usable public key, or two machines share it.",
    remedy: 'Correct machine_npub of the machine that the message names, then start again.',
  },
  NewerDocumentExists: {
    scope: 'document',
    meaning:
      'A document dated so far in the future stands at the address that relays would refuse a newer one.',
    remedy:
      'Wait until the date in the message has come within 15 minutes, or delete that event, then start again.',
  },
  NotAttempted: {
    scope: 'document',
    decidedBy: 'run',
    meaning: 'The run ended before this document was begun.',
    remedy:
      'Mend what ended the run (status and audit name it), then start again: only what is missing is done.',
  },
  GivenUp: {
    scope: 'document',
    decidedBy: 'person',
    meaning: 'Somebody gave this document up (`republish skip`); it counts as skipped.',
    remedy: 'Start again when it is to be published after all: only what is missing is done.',
  },
  Interrupted: {
    scope: 'document',
    decidedBy: 'run',
    meaning: 'The run was cancelled while this document was in work.',
    remedy: 'Start again: the document keeps what was reached and only the rest is done.',
  },
  Unexpected: {
    scope: 'document',
    retryable: true,
    meaning: 'An error that has no name of its own.',
    remedy: 'See the worker log for the same run; if it persists, report it.',
  },
} as const satisfies Record<string, FailureKind>;
