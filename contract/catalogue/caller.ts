import type { FailureKind } from './kind';

/** What is wrong with a call or with what was asked for, and how a run as a whole was ended. */
export const CALLER = {
  InvalidInput: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The workflow was started with an input it cannot accept.',
    remedy: 'Correct the input as the message says and start again; nothing was changed.',
  },
  OperatorNotFound: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'No account with that id, or the account has no valid public key.',
    remedy:
      'Check the operator user id (accounts.id in LNbits) and LNBITS_DATABASE_URL and "queries.account".',
  },
  MachineNotFound: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'A machine was asked for that the operator does not have.',
    remedy:
      'Check the machine ids against dca_machines for this operator, or leave them out (--machine, machineIds) for all.',
  },
  UnknownDocumentType: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'A document type was asked for that no worker knows.',
    remedy:
      'Use one of the types named in the message, or name the module that defines the type in "documentTypes" of the configuration, for the workers and for this command alike.',
  },
  RunEnded: {
    scope: 'caller',
    meaning:
      'Somebody ended the run by `republish end`: it was terminated in Temporal, and its audit was written from the ledger.',
    remedy:
      'Start again when what kept the run is mended: only what is missing is done. What was sent before may stand: republish verify <operator>.',
  },
  ResultTooLarge: {
    scope: 'caller',
    meaning: 'The run is complete, and has more event ids than a result can carry.',
    remedy: 'Nothing has to be done again: read the ids with republish audit <operator>.',
  },
  RepublishIncomplete: {
    scope: 'caller',
    runOutcome: 'incomplete',
    exit: 'partlyDone',
    meaning: 'Some documents could not be republished; the others stand.',
    remedy: 'Mend what the failures name, then start again: only what is missing is done.',
  },
  Cancelled: {
    scope: 'caller',
    runOutcome: 'cancelled',
    meaning: 'Somebody cancelled the run; the audit tells what was done before.',
    remedy: 'Start again: only what is missing is done.',
  },
  Terminated: {
    scope: 'caller',
    meaning:
      'Somebody terminated the run in Temporal, so that it could not write its audit; the ledger has its documents.',
    remedy:
      'Start again: only what is missing is done. Where it was not ended by `republish end`, that writes the audit it lacks: republish end <operator>.',
  },
  TimedOut: {
    scope: 'caller',
    meaning: 'The run did not end within the time that whoever started it allowed.',
    remedy: 'Start again, without an execution timeout: only what is missing is done.',
  },
  RunNotFound: {
    scope: 'caller',
    exit: 'preflight',
    meaning:
      'Temporal knows no run of that operator; it forgets ended runs after its retention time, the audit does not.',
    remedy:
      'Check the operator user id and TEMPORAL_NAMESPACE; start a run with: republish start <operator>; see earlier ones with: republish audit <operator>.',
  },
  AuditNotFound: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'The ledger has no run with that id, and none of an operator with that id.',
    remedy:
      'Check the id, and that DATABASE_URL or the data folder is the one with which the run was made; a first run begins with: republish start <operator>.',
  },
  AnotherRunGoesOn: {
    scope: 'caller',
    meaning:
      'A run of the operator goes on that was asked for something else, and this call was told not to wait for its end. Nothing was started.',
    remedy:
      'Leave --no-wait out to wait for its end, follow that run with --attach, or end it with: republish cancel <operator>; then start again.',
  },
  ControlRefused: {
    scope: 'caller',
    meaning: 'A run did not take what was asked of it. Nothing was changed.',
    remedy: 'See how the run stands with: republish status <operator>.',
  },
  ConfigurationError: {
    scope: 'caller',
    exit: 'preflight',
    meaning: 'Settings are wrong or missing; the message names all of them at once, and no value.',
    remedy:
      'Correct the variables or keys that the message names; docs/configuration.md lists all with their defaults.',
  },
  DataFolderUnusable: {
    scope: 'caller',
    exit: 'preflight',
    meaning:
      'The data folder, or one of the servers on it, cannot be used; the message says what is in the way.',
    remedy:
      'Remove what the message says is in the way, and call the command again. See docs/data-folder.md.',
  },
  UsageError: {
    scope: 'caller',
    exit: 'usage',
    meaning: 'The command was called in a way that it does not know.',
    remedy: 'See --help of the command, which begins with an example.',
  },
  SecretRefused: {
    scope: 'caller',
    exit: 'usage',
    meaning: 'A signer that was given cannot be used.',
    remedy:
      'Give what the message asks for, on standard input or in a file; see: republish signer add --help.',
  },
} as const satisfies Record<string, FailureKind>;
