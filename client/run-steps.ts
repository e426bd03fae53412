import type { WorkflowExecutionDescription } from '@temporalio/client';
import { optionalTsToDate } from '@temporalio/common/lib/time';
import type { HeartbeatDetails } from '../contract/activities';
import { contentOf } from '../rules/page-numbers';
import { failureIn, firstValue, type Reader } from '../temporal/payloads';
import type { Progress, Stages } from '../contract/progress';

/** A pending activity of a run: in work, or waiting for a worker. From Temporal's `pendingActivities`. */
export interface Step {
  /** Name of the activity, such as `republishDocuments`. */
  activity: string;
  /** Number of the page in the ledger; absent for other activities, and before the first heartbeat. */
  page?: number;
  /** Document type of the page. */
  documentType?: string;
  /** The machines of that page, counted from 1; absent while no worker answers. */
  machines?: { from: number; to: number; of: number };
  /** Documents of the page by stage, as of the last heartbeat. */
  stages?: Stages;
  /** Number of the attempt that is in work or comes next. The first is 1. */
  attempt: number;
  /** Start of the attempt in work, ISO 8601; null while it waits for a worker. */
  startedAt: string | null;
}

/** A pending activity of which an attempt has failed. */
export interface Retry extends Step {
  /** After this many attempts it fails; 0: attempts are unlimited. */
  maxAttempts: number;
  /**
   * Failure type of the last attempt (docs/errors.md); empty when the attempt timed out or its worker died.
   */
  type: string;
  /** Message of that failure. */
  message: string;
  /** Start of the next attempt, ISO 8601; null while one is in work. */
  nextAttemptAt: string | null;
}

/** The pending activities as Temporal knows them, also while no worker answers. */
export interface OpenSteps {
  /** Activities of which no attempt has failed, the longest in work first. */
  inWork: Step[];
  /** The next attempt first. */
  retrying: Retry[];
  /** The last heartbeat of each. */
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

/** PENDING_ACTIVITY_STATE_SCHEDULED: it waits for a worker, or for the end of its back-off. */
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

/** Pages begin after all machines are loaded. Each machine has one document of the page's type. */
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

/** The last heartbeat; empty where it cannot be read, because another data converter wrote it. */
export function heartbeatOf<T extends object = HeartbeatDetails>(
  client: Reader,
  { heartbeatDetails }: PendingActivity,
): Promise<Partial<T>> {
  return firstValue<Partial<T>>(client, heartbeatDetails?.payloads).then(
    (told) => told ?? {},
    () => ({}),
  );
}
