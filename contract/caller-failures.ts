/**
 * Every way a command or a call of the library can fail beside the failures of a run (failures.ts), by the `type` of the
 * error.
 */
interface CallerFailureKind {
  meaning: string;
  remedy: string;
}

export const CALLER_FAILURES = {
  Cancelled: {
    meaning: 'Somebody cancelled the run; the audit tells what was done before.',
    remedy: 'Start again: only what is missing is done.',
  },
  Terminated: {
    meaning:
      'Somebody terminated the run in Temporal, so that it could not write its audit; the ledger has its documents.',
    remedy: 'Start again: only what is missing is done.',
  },
  TimedOut: {
    meaning: 'The run did not end within the time that whoever started it allowed.',
    remedy: 'Start again, without an execution timeout: only what is missing is done.',
  },
  RunNotFound: {
    meaning:
      'Temporal knows no run of that operator; it forgets ended runs after its retention time, the audit does not.',
    remedy:
      'Check the operator user id and TEMPORAL_NAMESPACE; start a run with: republish start <operator>; see earlier ones with: republish audit <operator>.',
  },
  AuditNotFound: {
    meaning: 'The ledger has no run with that id, and none of an operator with that id.',
    remedy:
      'Check the id, and that DATABASE_URL or the data folder is the one with which the run was made; a first run begins with: republish start <operator>.',
  },
  ControlRefused: {
    meaning: 'A run did not take what was asked of it. Nothing was changed.',
    remedy: 'See how the run stands with: republish status <operator>.',
  },
  TemporalUnavailable: {
    meaning:
      'Temporal does not answer. A run that goes on is not affected: it is kept by Temporal and done by the workers.',
    remedy: 'Start Temporal, or set TEMPORAL_ADDRESS (and TLS or API key) to where it is, and ask again.',
  },
  TemporalRefused: {
    meaning: 'Temporal answers, and does not let this caller do that.',
    remedy: 'Check TEMPORAL_NAMESPACE, the API key or client certificate, and what they are allowed to do.',
  },
  ConfigurationError: {
    meaning: 'Settings are wrong or missing; the message names all of them at once, and no value.',
    remedy: 'Correct the variables or keys that the message names; the README lists all with their defaults.',
  },
  DataFolderUnusable: {
    meaning:
      'The data folder, or one of the servers on it, cannot be used; the message says what is in the way.',
    remedy:
      'Remove what the message says is in the way, and call the command again. See docs/data-folder.md.',
  },
  UsageError: {
    meaning: 'The command was called in a way that it does not know.',
    remedy: 'See --help of the command, which begins with an example.',
  },
  SecretRefused: {
    meaning: 'A signer that was given cannot be used.',
    remedy:
      'Give what the message asks for, on standard input or in a file; see: republish signer add --help.',
  },
} as const satisfies Record<string, CallerFailureKind>;

export type CallerFailureType = keyof typeof CALLER_FAILURES;

export function isCallerFailureType(type: unknown): type is CallerFailureType {
  return typeof type === 'string' && Object.hasOwn(CALLER_FAILURES, type);
}
