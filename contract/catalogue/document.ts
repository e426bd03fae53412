import { AGAIN, type FailureKind } from './kind';

/** One document is at fault. The run continues with the other documents. */
export const DOCUMENT = {
  PlanOutdated: {
    scope: 'document',
    sweep: 'outdated',
    meaning:
      "The account's key, the machine's key or the machine's owner has changed since the run was planned.",
    remedy:
      "Start again when the run has ended: the new run plans with the rows of today. If the run holds and the account's key has changed: republish cancel <operator>. If it holds for a machine: republish retry <operator>, and if that fails again: republish skip <operator> --machine <id>.",
  },
  StateChanged: {
    scope: 'document',
    sweep: 'outdated',
    meaning: "The machine's state changed during the run, and the newest state is not published.",
    remedy:
      'Start again when the run has ended: the new run publishes the state of that moment. If the run holds, end it first: republish skip <operator> --machine <id>, or republish cancel <operator>. If this fails again and nobody saved in LNbits, the document type makes a different state from the same rows (times, random values): correct the document type.',
  },
  StateInvalid: {
    scope: 'document',
    ofState: true,
    meaning: 'The state in the database is not valid for the document type.',
    remedy: `Correct the row: the message names the column, or the path in the state. If the document type is your own, its module may be wrong. Then ${AGAIN}. The other documents are not affected.`,
  },
  StateTooLarge: {
    scope: 'document',
    ofState: true,
    meaning: 'The state is larger than a machine or relay accepts in one encrypted event.',
    remedy:
      'Shorten the state. If bunker, relays and machines all accept more, raise REPUBLISH_MAX_STATE_BYTES on the workers.',
  },
  MachineKeyInvalid: {
    scope: 'document',
    meaning: "The machine's machine_npub is not a usable public key, or two machines share it.",
    remedy: `Correct dca_machines.machine_npub of the machine that the message names. Then ${AGAIN}.`,
  },
  NewerDocumentExists: {
    scope: 'document',
    meaning:
      'The event that stands at the address is dated far in the future: relays would refuse a newer one.',
    remedy: `Wait until 15 minutes before the date in the message, or delete that event. Then ${AGAIN}.`,
  },
  NotAttempted: {
    scope: 'document',
    decidedBy: 'run',
    meaning: 'The run ended before it began this document.',
    remedy:
      'Correct what ended the run (status and audit name it), then start again: only what is missing is done.',
  },
  GivenUp: {
    scope: 'document',
    decidedBy: 'person',
    meaning: 'Somebody gave up this document (`republish skip`). It counts as skipped.',
    remedy: 'To publish it after all, start again when the run has ended: only what is missing is done.',
  },
  Interrupted: {
    scope: 'document',
    decidedBy: 'run',
    meaning: 'The run was cancelled while it worked on this document.',
    remedy: 'Start again: the new run does only the steps that are missing.',
  },
  Unexpected: {
    scope: 'document',
    retryable: true,
    meaning: 'An error that the catalogue does not name.',
    remedy: 'Read the worker log of the same run. If the error stays, report it.',
  },
} as const satisfies Record<string, FailureKind>;
