import { type DocumentFailure, type FailureType, remedyFor } from '../contract/failures';
import type { RepublishResult } from '../contract/input';

/** A run that did not end well. Nothing that was published is lost: `published` says what stands. */
export class RepublishFailed extends Error {
  override readonly name = 'RepublishFailed';
  /** What to do about it. */
  readonly remedy: string;

  constructor(
    /** Failure type; `Cancelled` and `Terminated` when somebody ended the run. */
    readonly type: FailureType | 'Cancelled' | 'Terminated',
    message: string,
    /** Event ids by document type that stand although the run failed. */
    readonly published: RepublishResult = {},
    /** Documents that could not be republished, at most 200 of `failed`. */
    readonly failures: DocumentFailure[] = [],
    readonly failed: number = failures.length,
  ) {
    super(message);
    this.remedy =
      type === 'Cancelled' || type === 'Terminated'
        ? 'Start again: only what is missing is done.'
        : remedyFor(type);
  }
}

/** A run did not take what was asked of it; the message says why. Nothing was changed. */
export class ControlRefused extends Error {
  override readonly name = 'ControlRefused';
}

/** Temporal could not be asked. */
export class TemporalUnavailable extends Error {
  override readonly name = 'TemporalUnavailable';
}
