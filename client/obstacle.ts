import type { Obstacle, ObstacleType } from '../contract/obstacle';
import { missingBuild, type TaskQueueWorkers } from '../contract/task-queue';

/** What Temporal tells of the workflow task of a run, and of the workers of its task queue. */
export interface ObstacleFacts {
  taskQueue: string;
  /** Of the task that is open: which attempt it is at; 0: none is open. */
  attempt: number;
  /** How an earlier attempt of that task ended. */
  lastFailure?: TaskFailure;
  /** Absent where Temporal does not say who polls. */
  workers?: TaskQueueWorkers;
  /** Of a run that is pinned to a build: that one. */
  pinnedTo?: string;
  /** Whether a worker has answered; absent where none was asked. */
  answered?: boolean;
}

/** A workflow task that was not completed. */
export interface TaskFailure {
  /** Number of Temporal's `WorkflowTaskFailedCause`; `timeout`: nobody said anything in time. */
  cause: number | 'timeout';
  message: string;
}

/** Between starting and completing a task something new came: no fault of anybody. */
const UNHANDLED_COMMAND = 1;
/** Somebody made it start again from an earlier point, or ended it. */
const DONE_BY_SOMEBODY: readonly number[] = [17, 18, 20];
const CAUSES: Partial<Record<number, string>> = {
  14: 'the worker met an error',
  23: 'a search attribute was refused',
  24: 'nondeterminism: another build began it',
};
/** One that was late once has met a busy machine, or died in the middle. */
const TIMEOUTS_UNTIL_STUCK = 3;

/**
 * What keeps a run from moving, as far as that can be told from outside; undefined: nothing that is known.
 *
 * Where nobody polls, nothing fails any more, so that comes first.
 */
export function obstacleOf(facts: ObstacleFacts): Obstacle | undefined {
  const { taskQueue, workers, answered } = facts;
  const failing = failureIn(facts);
  const before = failing === undefined ? '' : `; whoever had it last failed: ${failing}`;
  const isEmpty = workers?.seen.length === 0;
  // Who was there before is gone by the clock of this host: an answer, or none, is the better proof.
  if (isEmpty && (workers.gone === 0 || answered === false))
    return obstacle('NoWorker', `nobody polls task queue ${taskQueue}${before}`);
  const missing = isEmpty || workers === undefined ? undefined : missingBuild(workers, facts.pinnedTo);
  if (missing !== undefined)
    return obstacle('NoWorkerOfRelease', `on task queue ${taskQueue} ${missing}${before}`);
  if (failing !== undefined) return obstacle('RunStuck', failing);
  if (answered !== false) return undefined;
  const seen = workers === undefined ? '' : ', although somebody has polled it in the last minute and a half';
  return obstacle('WorkerSilent', `no worker answers on task queue ${taskQueue}${seen}`);
}

function obstacle(type: ObstacleType, message: string): Obstacle {
  return { type, message };
}

function failureIn({ attempt, lastFailure }: ObstacleFacts): string | undefined {
  if (attempt < 2 || lastFailure === undefined) return undefined;
  const { cause, message } = lastFailure;
  if (cause === UNHANDLED_COMMAND || DONE_BY_SOMEBODY.includes(Number(cause))) return undefined;
  if (cause === 'timeout')
    return attempt < TIMEOUTS_UNTIL_STUCK
      ? undefined
      : `its workflow task is at attempt ${attempt}: workers take it, and die or hang`;
  const why = CAUSES[cause] ?? `cause ${cause} of Temporal's WorkflowTaskFailedCause`;
  return `its workflow task fails, attempt ${attempt} (${why}): ${withoutSecrets(message)}`;
}

const MAX_MESSAGE_LENGTH = 300;
const SECRETS: [what: RegExp, instead: string][] = [
  [/\b(nsec1|ncryptsec1)[0-9a-z]+/gi, '$1…'],
  [/\b(bunker|nostrconnect):\/\/\S*/gi, '$1://…'],
  // User and password of any URL.
  [/:\/\/[^\s/@]+@/g, '://…@'],
];

/**
 * What a worker or Temporal has said of a task that failed. Our workflow holds neither secret nor state; a
 * data converter of somebody else's might quote what it was given.
 */
function withoutSecrets(message: string): string {
  const shown = SECRETS.reduce((text, [what, instead]) => text.replace(what, instead), message);
  const line = shown.replace(/[\u0000-\u0020\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  const cut = line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line;
  return cut.replace(/\p{Surrogate}/gu, '\ufffd');
}
