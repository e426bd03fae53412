import type { Obstacle, ObstacleType } from '../contract/obstacle';
import { missingBuild, type TaskQueueWorkers } from '../rules/task-queue';

/** What Temporal knows about the workflow task of a run, and about the workers of its task queue. */
export interface ObstacleFacts {
  taskQueue: string;
  /** Number of the attempt of the open workflow task; 0: no task is open. */
  attempt: number;
  /** How the last failed attempt of that task ended. */
  lastFailure?: TaskFailure;
  /** Absent where Temporal does not tell who polls. */
  workers?: TaskQueueWorkers;
  /** The build that the run is pinned to (worker versioning); absent: it is not pinned. */
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

/** A new event came while the task was in work. Nothing is wrong. */
const UNHANDLED_COMMAND = 1;
/** A person reset the run to an earlier point, or ended it. */
const DONE_BY_SOMEBODY: readonly number[] = [17, 18, 20];
const CAUSES: Partial<Record<number, string>> = {
  14: 'the worker met an error',
  23: 'a search attribute was refused',
  24: 'nondeterminism: another build began it',
};
/** One timeout can be a busy machine, or a worker that died. */
const TIMEOUTS_UNTIL_STUCK = 3;

/**
 * Why no worker can make progress with a run; undefined: no such reason is known.
 *
 * A missing worker comes first: while nobody polls, nothing fails.
 */
export function obstacleOf(facts: ObstacleFacts): Obstacle | undefined {
  const { taskQueue, workers, answered } = facts;
  const failing = failureIn(facts);
  const before = failing === undefined ? '' : `; before that: ${failing.message}`;
  const isEmpty = workers?.seen.length === 0;
  // `gone` depends on the clock of this host, which may be wrong. So where workers were seen earlier, the
  // failure is NoWorker only if a worker was asked and did not answer.
  if (isEmpty && (workers.gone === 0 || answered === false))
    return obstacle('NoWorker', `nobody polls task queue ${taskQueue}${before}`);
  const missing = isEmpty || workers === undefined ? undefined : missingBuild(workers, facts.pinnedTo);
  if (missing !== undefined)
    return obstacle('NoWorkerOfRelease', `on task queue ${taskQueue} ${missing}${before}`);
  if (failing !== undefined) return failing;
  if (answered !== false) return undefined;
  const seen = workers === undefined ? '' : ', although somebody has polled it in the last minute and a half';
  return obstacle('WorkerSilent', `no worker answers on task queue ${taskQueue}${seen}`);
}

function obstacle(type: ObstacleType, message: string): Obstacle {
  return { type, message };
}

function failureIn({ attempt, lastFailure }: ObstacleFacts): Obstacle | undefined {
  if (attempt < 2 || lastFailure === undefined) return undefined;
  const { cause, message } = lastFailure;
  if (cause === UNHANDLED_COMMAND || DONE_BY_SOMEBODY.includes(Number(cause))) return undefined;
  if (cause === 'timeout')
    return attempt < TIMEOUTS_UNTIL_STUCK
      ? undefined
      : obstacle(
          'WorkerHangs',
          `its workflow task is at attempt ${attempt}: workers take it, and hang or die`,
        );
  const why = CAUSES[cause] ?? `cause ${cause} of Temporal's WorkflowTaskFailedCause`;
  return obstacle(
    'RunStuck',
    `its workflow task fails, attempt ${attempt} (${why}): ${withoutSecrets(message)}`,
  );
}

const MAX_MESSAGE_LENGTH = 300;
const SECRETS: [what: RegExp, instead: string][] = [
  [/\b(nsec1|ncryptsec1)[0-9a-z]+/gi, '$1…'],
  [/\b(bunker|nostrconnect):\/\/\S*/gi, '$1://…'],
  // User and password of any URL.
  [/:\/\/[^\s/@]+@/g, '://…@'],
];

/**
 * The message of a failed workflow task on one line. Our workflow has no secret and no state, but a data
 * converter from outside may quote its input.
 */
function withoutSecrets(message: string): string {
  const shown = SECRETS.reduce((text, [what, instead]) => text.replace(what, instead), message);
  const line = shown.replace(/[\u0000-\u0020\u007f-\u009f\u2028\u2029]+/g, ' ').trim();
  const cut = line.length > MAX_MESSAGE_LENGTH ? `${line.slice(0, MAX_MESSAGE_LENGTH)}…` : line;
  return cut.replace(/\p{Surrogate}/gu, '\ufffd');
}
