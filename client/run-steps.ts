import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time';
import type { HeartbeatDetails } from '../contract/activities';
import { contentOf } from '../rules/page-numbers';
import { failureIn, firstValue, type Reader } from '../temporal/payloads';
import type { Progress, Stages } from '../contract/progress';

/** A step that Temporal has open: in work, or waiting for a worker. */
export interface Step {
  /** Name of the activity, such as `republishDocuments`. */
  activity: string;
  /** Which page of the run, by its number in the ledger, if it is one and its worker could say so. */
  page?: number;
  documentType?: string;
  /** The machines of that page, counted from 1; absent while no worker answers. */
  machines?: { from: number; to: number; of: number };
  /** How far the documents of the page were when its worker last said so. */
  stages?: Stages;
  /** Number of the attempt that is in work, or that comes next; the first one is 1. */
  attempt: number;
  /** Since when it is in work, ISO 8601; null while it waits. */
  startedAt: string | null;
}

/** A step that failed and is tried again. */
export interface Retry extends Step {
  /** After this many it fails for good; 0: not limited by number. */
  maxAttempts: number;
  /** Why the last attempt failed: a type of docs/errors.md, or empty when it did not live to say. */
  type: string;
  message: string;
  /** When the next attempt begins, ISO 8601; null while one is in work. */
  nextAttemptAt: string | null;
}

/** What Temporal itself knows of the steps that are open, also while no worker answers. */
export interface OpenSteps {
  /** Steps of which no attempt has failed, longest in work first. */
  inWork: Step[];
  /** Soonest first. */
  retrying: Retry[];
  /** What their workers told last. */
  heartbeats: HeartbeatDetails[];
}

type PendingActivity = NonNullable<WorkflowExecutionDescription['raw']['pendingActivities']>[number];

export async function openSteps(
  client: Reader,
  pending: PendingActivity[],
  progress: Progress | null,
): Promise<OpenSteps> {
  const steps = await Promise.all(
    pending.map(async (activity) => {
      const heartbeat = await heartbeatOf(client, activity);
      return { activity, heartbeat, step: stepOf(activity, heartbeat, progress) };
    }),
  );
  const failed = steps.filter(({ activity }) => activity.lastFailure != null);
  const retrying = await Promise.all(failed.map(({ activity, step }) => retryOf(client, activity, step)));
  return {
    inWork: steps
      .filter(({ activity }) => activity.lastFailure == null)
      .map(({ step }) => step)
      .sort((a, b) => (a.startedAt ?? '9').localeCompare(b.startedAt ?? '9')),
    retrying: retrying.sort((a, b) => (a.nextAttemptAt ?? '').localeCompare(b.nextAttemptAt ?? '')),
    heartbeats: steps.map(({ heartbeat }) => heartbeat),
  };
}

/** PENDING_ACTIVITY_STATE_SCHEDULED: waits for its turn, or for the end of its back-off. */
const SCHEDULED = 1;

function stepOf(
  { activityType, attempt, state, lastStartedTime }: PendingActivity,
  { page, stages }: HeartbeatDetails,
  progress: Progress | null,
): Step {
  const startedAt = state === SCHEDULED ? undefined : optionalTsToDate(lastStartedTime);
  const machines = page && machinesOf(page, progress);
  return {
    activity: activityType?.name ?? '',
    ...(page === undefined ? {} : { page: page.page, documentType: page.documentType }),
    ...(machines === undefined ? {} : { machines }),
    ...(stages === undefined ? {} : { stages }),
    attempt: attempt ?? 1,
    startedAt: startedAt?.toISOString() ?? null,
  };
}

/** Pages are begun when all machines are loaded: each of them has a document of the page's type. */
function machinesOf(
  { page, documentType }: NonNullable<HeartbeatDetails['page']>,
  progress: Progress | null,
): Step['machines'] {
  const counts = progress?.documentTypes[documentType];
  if (counts === undefined || progress?.documentsPerPage === undefined) return undefined;
  const of = counts.planned + counts.skipped;
  const { from, to } = contentOf(
    {
      documentTypes: Object.keys(progress.documentTypes),
      limits: { documentsPerPage: progress.documentsPerPage },
    },
    page,
    of,
  );
  return { from, to, of };
}

async function retryOf(client: Reader, pending: PendingActivity, step: Step): Promise<Retry> {
  const { lastFailure, maximumAttempts, nextAttemptScheduleTime, scheduledTime, state } = pending;
  const { type, message, reason } = await failureIn(client, lastFailure ?? {});
  const next = optionalTsToDate(nextAttemptScheduleTime) ?? optionalTsToDate(scheduledTime);
  return {
    ...step,
    maxAttempts: maximumAttempts ?? 0,
    type,
    message: typeof reason === 'string' ? reason : message,
    nextAttemptAt: state === SCHEDULED ? (next?.toISOString() ?? null) : null,
  };
}

/** What its worker told last, if it can be read: another worker's codec is no reason to show nothing. */
export function heartbeatOf<T extends object = HeartbeatDetails>(
  client: Reader,
  { heartbeatDetails }: PendingActivity,
): Promise<Partial<T>> {
  return firstValue<Partial<T>>(client, heartbeatDetails?.payloads).then(
    (told) => told ?? {},
    () => ({}),
  );
}
