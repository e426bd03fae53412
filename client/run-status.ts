import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import { defaultPayloadConverter, type Payload } from '@temporalio/common';
import { optionalTsToDate } from '@temporalio/common/lib/time';
import type { DocumentNumber, DocumentReference, HeartbeatDetails } from '../contract/activities';
import { PROGRESS_QUERY } from '../contract/names';
import type { Progress } from '../contract/progress';
import { describeChain } from './chain';

/** A step that failed and will be tried again. */
export interface Retry {
  /** Name of the activity, such as `republishDocument`. */
  activity: string;
  /** Which document, if it is one and its worker could say so. */
  documentType?: string;
  machineId?: string;
  /** Its number in the ledger (`republish.documents`), where no worker has read its row yet. */
  documentNumber?: number;
  /** Number of the attempt that comes next, or that is in work; the first one is 1. */
  attempt: number;
  /** After this many it fails for good; 0: not limited by number. */
  maxAttempts: number;
  /** Why the last attempt failed: a type of docs/errors.md, or empty when it did not live to say. */
  type: string;
  message: string;
  /** When the next attempt begins, ISO 8601; null while one is in work. */
  nextAttemptAt: string | null;
}

/** Everything that can be seen of a run from outside, also while no worker answers. */
export interface RunStatus {
  workflowId: string;
  /** Stays the same when the workflow continues as new; the key of the audit. */
  runId: string;
  /** As Temporal names it: RUNNING, COMPLETED, FAILED, CANCELLED, TERMINATED or TIMED_OUT. */
  status: string;
  /** ISO 8601. */
  startedAt: string;
  /** ISO 8601; null while the run goes on. */
  closedAt: string | null;
  taskQueue: string;
  /** Counts, phase, failures; null while no worker answers. */
  progress: Progress | null;
  /** Pages on which a person has to approve before the signer answers. */
  approvals: string[];
  /** What is being retried, soonest first. */
  retrying: Retry[];
  /** Since when Temporal itself does not answer (ISO 8601): the rest is as it was last seen. Null while it does. */
  unreachableSince: string | null;
}

/** A query waits for a worker; where there is none, the rest of the status is worth more than the wait. */
const QUERY_TIMEOUT_MS = 3_000;

/** Asks Temporal how the chain of executions that began as `runId` stands. */
export async function runStatus(client: Client, workflowId: string, runId: string): Promise<RunStatus> {
  const description = await describeChain(client, workflowId, runId);
  const progress = await progressOf(client, workflowId, description.runId, QUERY_TIMEOUT_MS).catch(
    () => null,
  );
  const pending = description.raw.pendingActivities ?? [];
  const pages = pending.flatMap(({ heartbeatDetails }) => {
    return valueOf<HeartbeatDetails>(heartbeatDetails?.payloads?.[0])?.approvalUrl ?? [];
  });
  return {
    workflowId,
    runId,
    status: description.status.name,
    startedAt: description.startTime.toISOString(),
    closedAt: description.closeTime?.toISOString() ?? null,
    taskQueue: description.taskQueue,
    progress,
    approvals: [...new Set([...(progress?.approvals ?? []), ...pages])],
    retrying: pending
      .filter(({ lastFailure }) => lastFailure != null)
      .map(retryOf)
      .sort(bySoonest),
    unreachableSince: null,
  };
}

/** @param runId of the execution that is asked, not of the chain */
export function progressOf(
  client: Client,
  workflowId: string,
  runId: string,
  timeoutMs: number,
): Promise<Progress> {
  return client.withDeadline(Date.now() + timeoutMs, () =>
    client.workflow.getHandle(workflowId, runId).query<Progress>(PROGRESS_QUERY),
  );
}

/** PENDING_ACTIVITY_STATE_SCHEDULED: waits for its turn, or for the end of its back-off. */
const SCHEDULED = 1;

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

function retryOf(pending: PendingActivity): Retry {
  const { activityType, attempt, maximumAttempts, lastFailure, heartbeatDetails } = pending;
  const { type, details } = lastFailure?.applicationFailureInfo ?? {};
  const document =
    valueOf<DocumentReference | DocumentNumber>(details?.payloads?.[1]) ??
    valueOf<HeartbeatDetails>(heartbeatDetails?.payloads?.[0])?.document;
  const reason = valueOf<string>(details?.payloads?.[0]);
  return {
    activity: activityType?.name ?? '',
    ...namesOf(document),
    attempt: attempt ?? 1,
    maxAttempts: maximumAttempts ?? 0,
    type: type ?? '',
    message: typeof reason === 'string' ? reason : (lastFailure?.message ?? ''),
    nextAttemptAt: pending.state === SCHEDULED ? (nextAttemptOf(pending)?.toISOString() ?? null) : null,
  };
}

/** By field: what another worker wrote there may have more. */
function namesOf(document: DocumentReference | DocumentNumber | undefined): Partial<Retry> {
  if (document === undefined) return {};
  if ('documentNumber' in document) return { documentNumber: document.documentNumber };
  return { documentType: document.documentType, machineId: document.machineId };
}

function nextAttemptOf({ nextAttemptScheduleTime, scheduledTime }: PendingActivity): Date | undefined {
  return optionalTsToDate(nextAttemptScheduleTime) ?? optionalTsToDate(scheduledTime);
}

function bySoonest(a: Retry, b: Retry): number {
  return (a.nextAttemptAt ?? '').localeCompare(b.nextAttemptAt ?? '');
}

/** What a payload says, if it can be read: another worker's codec is no reason to show nothing. */
function valueOf<T>(payload: Payload | null | undefined): T | undefined {
  if (payload == null) return undefined;
  try {
    return defaultPayloadConverter.fromPayload<T | null>(payload) ?? undefined;
  } catch {
    return undefined;
  }
}
