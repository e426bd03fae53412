import { CALLER_FAILURES, type CallerFailureType, isCallerFailureType } from '../contract/caller-failures';
import { type DocumentFailure, type FailureType, remedyFor } from '../contract/failures';
import type { RepublishResult } from '../contract/input';
import { forOperator } from '../contract/shell';

/** What every error of this library has beside its message. */
interface Explained {
  /** As in docs/errors.md. */
  readonly type: FailureType | CallerFailureType;
  /** What to do about it, as a sentence. */
  readonly remedy: string;
}

/** A run that did not end well. Nothing that was published is lost: `published` says what stands. */
export class RepublishFailed extends Error implements Explained {
  override readonly name = 'RepublishFailed';
  readonly remedy: string;

  constructor(
    /** Failure type; `Cancelled`, `Terminated` and `TimedOut` when the run was ended from outside. */
    readonly type: FailureType | 'Cancelled' | 'Terminated' | 'TimedOut',
    message: string,
    /** Event ids (64 hex characters) by document type that stand although the run failed. */
    readonly published: RepublishResult = {},
    /** Documents that could not be republished, at most 200 of `failed`. */
    readonly failures: DocumentFailure[] = [],
    readonly failed: number = failures.length,
  ) {
    super(message);
    this.remedy = isCallerFailureType(type) ? CALLER_FAILURES[type].remedy : remedyFor(type);
  }
}

/** A run did not take what was asked of it; the message says why. Nothing was changed. */
export class ControlRefused extends Error implements Explained {
  override readonly name = 'ControlRefused';
  readonly type = 'ControlRefused';

  constructor(
    message: string,
    options?: ErrorOptions,
    readonly remedy: string = CALLER_FAILURES.ControlRefused.remedy,
  ) {
    super(message, options);
  }
}

/**
 * A run, or a fleet, of another request goes on, and this call was told to refuse then. Nothing was started.
 */
export class AnotherRunGoesOn extends Error implements Explained {
  override readonly name = 'AnotherRunGoesOn';
  readonly type = 'AnotherRunGoesOn';

  constructor(
    message: string,
    readonly remedy: string = CALLER_FAILURES.AnotherRunGoesOn.remedy,
  ) {
    super(message);
  }
}

/** Temporal knows no run of the operator, or no fleet. */
export class RunNotFound extends Error implements Explained {
  override readonly name = 'RunNotFound';
  readonly type = 'RunNotFound';

  constructor(
    message: string,
    options?: ErrorOptions,
    readonly remedy: string = CALLER_FAILURES.RunNotFound.remedy,
  ) {
    super(message, options);
  }
}

/** Temporal could not be asked. Runs are not affected. */
export class TemporalUnavailable extends Error implements Explained {
  override readonly name = 'TemporalUnavailable';
  readonly type = 'TemporalUnavailable';
  readonly remedy = CALLER_FAILURES.TemporalUnavailable.remedy;
}

/** Temporal does not let this caller do that: credentials or rights. */
export class TemporalRefused extends Error implements Explained {
  override readonly name = 'TemporalRefused';
  readonly type = 'TemporalRefused';
  readonly remedy = CALLER_FAILURES.TemporalRefused.remedy;
}

/** Temporal has no namespace of that name. */
export class NamespaceNotFound extends Error implements Explained {
  override readonly name = 'NamespaceNotFound';
  readonly type = 'NamespaceNotFound';
  readonly remedy = CALLER_FAILURES.NamespaceNotFound.remedy;
}

/** The same error; the commands in its remedy are for this operator. */
export function ofOperator(error: unknown, operatorUserId: string | undefined): unknown {
  const { remedy } = (error ?? {}) as Partial<Explained>;
  return error instanceof Error && remedy !== undefined
    ? Object.assign(error, { remedy: forOperator(remedy, operatorUserId) })
    : error;
}
