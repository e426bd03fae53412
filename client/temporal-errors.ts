import {
  type Client,
  Connection,
  isGrpcServiceError,
  NamespaceNotFoundError,
  QueryNotRegisteredError,
  QueryRejectedError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { type DocumentFailure, ensureError, type Subject } from '../contract/failures';
import type { RepublishResult } from '../contract/input';
import type { UpdateName } from '../contract/control';
import { failureOfRun } from '../rules/run-end';
import {
  ControlRefused,
  NamespaceNotFound,
  RepublishFailed,
  RunNotFound,
  TemporalRefused,
  TemporalUnavailable,
} from './errors';

/** gRPC statuses (google.rpc.Code) that are an answer; every other one means that the answer did not come. */
const ANSWERS = new Map([
  [3, 'INVALID_ARGUMENT'],
  [5, 'NOT_FOUND'],
  [6, 'ALREADY_EXISTS'],
  [7, 'PERMISSION_DENIED'],
  [9, 'FAILED_PRECONDITION'],
  [11, 'OUT_OF_RANGE'],
  [12, 'UNIMPLEMENTED'],
  [16, 'UNAUTHENTICATED'],
]);

/** Whether an error of the SDK says only that Temporal did not answer: asking again may help. */
export function isUnreachable(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && !ANSWERS.has(status.code);
}

/**
 * What Temporal has answered in place of doing it, as gRPC names it; undefined: it is another error, or no
 * answer came.
 */
export function answerOf(error: unknown): string | undefined {
  const status = statusOf(error);
  const answer = status && ANSWERS.get(status.code);
  return answer && `${answer}: ${status.details}`;
}

/** Does some work with Temporal and turns the SDK's errors into those of this library. */
export async function explained<T>(
  client: Client,
  work: () => Promise<T>,
  subject: Subject = 'run',
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw asExplained(client, error, subject);
  }
}

export function asExplained(client: Client, error: unknown, subject: Subject = 'run'): unknown {
  if (error instanceof WorkflowNotFoundError)
    return new RunNotFound(`there is no such ${subject}`, { cause: error });
  if (error instanceof NamespaceNotFoundError)
    return new NamespaceNotFound(`${addressOf(client)} has no namespace ${error.namespace}`, {
      cause: error,
    });
  const status = statusOf(error);
  if (status === undefined) return error;
  const answer = ANSWERS.get(status.code);
  return answer === undefined
    ? new TemporalUnavailable(`Temporal does not answer at ${addressOf(client)} (${status.details})`, {
        cause: error,
      })
    : new TemporalRefused(`Temporal at ${addressOf(client)} says ${answer}: ${status.details}`, {
        cause: error,
      });
}

/** Where a client asks, for messages. */
export function addressOf({ connection }: Client): string {
  return connection instanceof Connection ? connection.options.address : 'its address';
}

/** The SDK wraps what gRPC says, sometimes more than once. */
function statusOf(error: unknown): { code: number; details: string } | undefined {
  for (
    let link: unknown = error, depth = 0;
    link instanceof Error && depth < 5;
    link = link.cause, depth += 1
  ) {
    if (isGrpcServiceError(link)) return { code: link.code, details: link.details };
  }
  return undefined;
}

/**
 * Whether a query was answered, and this client cannot read the answer: it was written through a data
 * converter that this one does not have. So a worker is there.
 */
export function isUnreadable(error: unknown): boolean {
  return (
    statusOf(error) === undefined &&
    !(error instanceof QueryNotRegisteredError) &&
    !(error instanceof QueryRejectedError)
  );
}

/** Whether nobody could take an update: no worker is there, or none that can continue the run. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || statusOf(error)?.code === 9; // FAILED_PRECONDITION
}

/** A run that refuses says why; one that has ended is not there to be asked. */
export function asControlRefused(
  client: Client,
  { name, subject }: { name: UpdateName; subject: Subject },
  error: unknown,
): unknown {
  if (error instanceof WorkflowUpdateFailedError)
    return new ControlRefused(`${name} was refused: ${ensureError(error.cause ?? error).message}`, {
      cause: error,
    });
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError)
    return new ControlRefused(
      `${name} was not answered in time; it may be taken yet. Does a worker poll the task queue of the ${subject}?`,
      { cause: error },
    );
  if (error instanceof WorkflowNotFoundError)
    return new ControlRefused(`${name} is not possible: the ${subject} has ended`, { cause: error });
  return asExplained(client, error, subject);
}

/** What the workflows of this package add to their failure. */
interface MoreOfFailure {
  published?: RepublishResult;
  failures?: DocumentFailure[];
  failed?: number;
}

export function asRepublishFailed(client: Client, error: unknown, subject: Subject = 'run'): unknown {
  if (!(error instanceof WorkflowFailedError)) return asExplained(client, error, subject);
  const { type, message, foreign, details } = failureOfRun(error, subject);
  const { published, failures, failed } = (details ?? {}) as MoreOfFailure;
  return new RepublishFailed(type, foreign ?? message, published, failures, failed);
}
