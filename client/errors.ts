import { type DocumentFailure, type FailureType, remedyFor } from '../contract/failures';
import type { RepublishResult } from '../contract/input';
import { forOperator } from '../rules/shell';

interface MoreOfError {
  cause?: unknown;
  /** Where the sentence of the catalogue does not fit. */
  remedy?: string | undefined;
}

/** What every error of this library has in addition to its message. */
abstract class ExplainedError extends Error {
  /** What to do about it, as a sentence. It is not in the message. */
  readonly remedy: string;

  constructor(
    /** As in docs/errors.md. */
    readonly type: FailureType,
    message: string,
    { cause, remedy = remedyFor(type) }: MoreOfError = {},
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = type;
    this.remedy = remedy;
  }
}

/** A run that did not end well. Nothing that was published is lost: `published` says what stands. */
export class RepublishFailed extends ExplainedError {
  constructor(
    /** `Cancelled`, `RunEnded`, `Terminated` and `TimedOut` when the run was ended from outside. */
    type: FailureType,
    message: string,
    /** Event ids (64 hex characters) by document type that stand although the run failed. */
    readonly published: RepublishResult = {},
    /** Documents that could not be republished, at most 200 of `failed`. */
    readonly failures: DocumentFailure[] = [],
    readonly failed: number = failures.length,
  ) {
    super(type, message);
    this.name = 'RepublishFailed';
  }
}

/** A run did not take what was asked of it; the message says why. Nothing was changed. */
export class ControlRefused extends ExplainedError {
  constructor(message: string, more?: MoreOfError) {
    super('ControlRefused', message, more);
  }
}

/**
 * A run (or fleet) of another request is running, and the caller asked not to wait for it. Nothing was
 * started.
 */
export class AnotherRunGoesOn extends ExplainedError {
  constructor(message: string, more?: MoreOfError) {
    super('AnotherRunGoesOn', message, more);
  }
}

/** Temporal knows no run of the operator, or no fleet. */
export class RunNotFound extends ExplainedError {
  constructor(message: string, more?: MoreOfError) {
    super('RunNotFound', message, more);
  }
}

/** Temporal could not be asked. Runs are not affected. */
export class TemporalUnavailable extends ExplainedError {
  constructor(message: string, more?: MoreOfError) {
    super('TemporalUnavailable', message, more);
  }
}

/** Temporal does not let this caller do that: credentials or rights. */
export class TemporalRefused extends ExplainedError {
  constructor(message: string, more?: MoreOfError) {
    super('TemporalRefused', message, more);
  }
}

/** Temporal has no namespace of that name. */
export class NamespaceNotFound extends ExplainedError {
  constructor(message: string, more?: MoreOfError) {
    super('NamespaceNotFound', message, more);
  }
}

/** The same error; the commands in its remedy are for this operator. */
export function ofOperator(error: unknown, operatorUserId: string | undefined): unknown {
  const { remedy } = (error ?? {}) as { remedy?: unknown };
  return error instanceof Error && typeof remedy === 'string'
    ? Object.assign(error, { remedy: forOperator(remedy, operatorUserId) })
    : error;
}
