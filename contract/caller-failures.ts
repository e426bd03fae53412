import { type Exit, type FailureType, exitOf, isFailureType, isRetryable } from './failures';

/**
 * Every way a command or a call of the library can fail beside the failures of a run (failures.ts), by the
 * `type` of the error.
 */
interface CallerFailureKind {
  /** How `republish` ends for it. Absent: `failed`. */
  exit?: Exit;
  /** True: it may pass by itself, so that a worker that starts waits for a while. */
  passes?: true;
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
    remedy:
      'Start again: only what is missing is done. Where it was not ended by `republish end`, that writes the audit it lacks: republish end <operator>.',
  },
  TimedOut: {
    meaning: 'The run did not end within the time that whoever started it allowed.',
    remedy: 'Start again, without an execution timeout: only what is missing is done.',
  },
  RunNotFound: {
    exit: 'preflight',
    meaning:
      'Temporal knows no run of that operator; it forgets ended runs after its retention time, the audit does not.',
    remedy:
      'Check the operator user id and TEMPORAL_NAMESPACE; start a run with: republish start <operator>; see earlier ones with: republish audit <operator>.',
  },
  AuditNotFound: {
    exit: 'preflight',
    meaning: 'The ledger has no run with that id, and none of an operator with that id.',
    remedy:
      'Check the id, and that DATABASE_URL or the data folder is the one with which the run was made; a first run begins with: republish start <operator>.',
  },
  AnotherRunGoesOn: {
    meaning:
      'A run of the operator goes on that was asked for something else, and this call was told not to wait for its end. Nothing was started.',
    remedy:
      'Leave --no-wait out to wait for its end, follow that run with --attach, or end it with: republish cancel <operator>; then start again.',
  },
  ControlRefused: {
    meaning: 'A run did not take what was asked of it. Nothing was changed.',
    remedy: 'See how the run stands with: republish status <operator>.',
  },
  TemporalUnavailable: {
    passes: true,
    exit: 'preflight',
    meaning:
      'Temporal does not answer. A run that goes on is not affected: it is kept by Temporal and done by the workers.',
    remedy: 'Start Temporal, or set TEMPORAL_ADDRESS (and TLS or API key) to where it is, and ask again.',
  },
  TemporalRefused: {
    exit: 'preflight',
    meaning: 'Temporal answers, and does not let this caller do that.',
    remedy: 'Check TEMPORAL_NAMESPACE, the API key or client certificate, and what they are allowed to do.',
  },
  NamespaceNotFound: {
    exit: 'preflight',
    meaning: 'Temporal answers, and has no namespace of that name.',
    remedy: 'Set TEMPORAL_NAMESPACE to the right one, or have it created.',
  },
  SearchAttributesWrong: {
    exit: 'preflight',
    meaning:
      'A search attribute that runs set is of another type in the namespace: their workflow tasks would fail for ever, so that no worker starts.',
    remedy:
      'Remove it and register it anew with type Keyword, then restart the workers: republish doctor has the commands.',
  },
  AuditChanged: {
    meaning:
      'The audit in the database is not what was written: a row, or what the ledger says of its documents, was changed, cut or put in since.',
    remedy:
      'Leave the database as it is and compare it with a backup. docs/operations.md says what the chain proves, under "Tampering".',
  },
  ConfigurationError: {
    exit: 'preflight',
    meaning: 'Settings are wrong or missing; the message names all of them at once, and no value.',
    remedy: 'Correct the variables or keys that the message names; the README lists all with their defaults.',
  },
  DataFolderUnusable: {
    exit: 'preflight',
    meaning:
      'The data folder, or one of the servers on it, cannot be used; the message says what is in the way.',
    remedy:
      'Remove what the message says is in the way, and call the command again. See docs/data-folder.md.',
  },
  UsageError: {
    exit: 'usage',
    meaning: 'The command was called in a way that it does not know.',
    remedy: 'See --help of the command, which begins with an example.',
  },
  SecretRefused: {
    exit: 'usage',
    meaning: 'A signer that was given cannot be used.',
    remedy:
      'Give what the message asks for, on standard input or in a file; see: republish signer add --help.',
  },
} as const satisfies Record<string, CallerFailureKind>;

export type CallerFailureType = keyof typeof CALLER_FAILURES;

/** Whether it may be otherwise in a moment, without anybody's doing. */
export function mayPass(type: FailureType | CallerFailureType): boolean {
  if (!isCallerFailureType(type)) return isRetryable(type);
  const kind: CallerFailureKind = CALLER_FAILURES[type];
  return kind.passes === true;
}

/** How a command ends for a failure of either catalogue, and for what stands in neither. */
export function exitForType(type: string): Exit {
  if (isFailureType(type)) return exitOf(type);
  const kind: CallerFailureKind | undefined = isCallerFailureType(type) ? CALLER_FAILURES[type] : undefined;
  return kind?.exit ?? 'failed';
}

export function isCallerFailureType(type: unknown): type is CallerFailureType {
  return typeof type === 'string' && Object.hasOwn(CALLER_FAILURES, type);
}
