import type { Client } from '@temporalio/client';
import type { ControlRequest, ControlResult, DocumentSelection, UpdateName } from '../contract/control';
import type { RepublishResult } from '../contract/input';
import type { Obstacle } from '../contract/obstacle';
import type { Progress } from '../contract/progress';
import { operatorOf } from '../contract/names';
import { describeChain } from './chain';
import { type Cancellation, Speaker } from './control';
import { ofOperator } from './errors';
import { type RunProgress, runProgress } from './run-progress';
import { runObstacle, runProgressNow, type RunStatus, runStatus } from './run-status';
import { asRepublishFailed, explained, isUnreachable } from './temporal-errors';
import { DEFAULT_PATIENCE_MS, Patience, pause, type WatchOptions, watchRun } from './watch';

/**
 * A run that was started, or found running. Every method may throw TemporalUnavailable, TemporalRefused or
 * RunNotFound.
 */
export interface RepublishRun {
  /** `republish-operator-configs/<operator>`. */
  workflowId: string;
  /** Key of the run in the ledger and the audit; stays when a long run continues as new. */
  runId: string;
  /** False when this call started the run; true when it found it. */
  attached: boolean;
  /**
   * In what the run that was attached to was asked something else, such as `machines m1`. Empty but for
   * `otherRequest: 'attach'`.
   */
  differs: string[];
  /**
   * Counts of documents, phase and failures, from the run itself, so that a worker must be there. Counts by
   * outcome move page by page; `stages`, `waiting` and `approvals` also tell what its pages in work have told
   * meanwhile.
   *
   *     const { published, planned } = await run.progress();
   *     for await (const { stages, planned } of run.progress()) console.log(`${stages.standing} of ${planned}`);
   *
   * The loop gets each change, asks once a second, waits where no worker answers, and ends with the run.
   */
  progress(options?: WatchOptions): RunProgress;
  /** The execution that goes on, or the last one: a large run continues as new under other run ids. */
  currentRunId(): Promise<string>;
  /** How the run stands as Temporal sees it: also without a worker, and with what is being retried. */
  status(): Promise<RunStatus>;
  /** Why nobody works on the run or nobody can, as Temporal sees it; null: nothing of that kind is known. */
  obstacle(): Promise<Obstacle | null>;
  /** The status whenever it changes, until the run has ended; also while Temporal is away for a while. */
  watch(options?: WatchOptions): AsyncGenerator<RunStatus, void, undefined>;
  /**
   * Waits for the end.
   *
   * @returns event ids (64 hex characters) by document type
   * @throws RepublishFailed; TemporalUnavailable when Temporal has been away for `patienceMs` (default
   *   120000)
   */
  result(options?: Pick<WatchOptions, 'patienceMs'>): Promise<RepublishResult>;
  /** Begins no further document until `resume`; what is signed is finished. @throws ControlRefused */
  pause(request?: ControlRequest): Promise<void>;
  /** @throws ControlRefused when the run is not paused */
  resume(request?: ControlRequest): Promise<void>;
  /** Tries failed documents again now. @returns how many @throws ControlRefused when none has failed */
  retry(selection?: DocumentSelection): Promise<number>;
  /** Gives documents up that are not published. @returns how many @throws ControlRefused */
  skip(selection?: DocumentSelection): Promise<number>;
  /**
   * Cancels the run: what is signed is finished, the rest is left, the audit is written. Where the run cannot
   * be asked, Temporal is. @throws ControlRefused
   */
  cancel(request?: ControlRequest): Promise<Cancellation>;
}

type RunName = Pick<RepublishRun, 'workflowId' | 'runId' | 'attached'>;

const QUERY_TIMEOUT_MS = 10_000;
/** Pages in work end before `skip` and `retry` change them; without a worker nobody answers at all. */
const UPDATE_TIMEOUT_MS = 60_000;

export function runOf(
  client: Client,
  { workflowId, runId, attached, differs = [] }: RunName & { differs?: string[] },
): RepublishRun {
  // Without a run id of its own, so that it follows the run when that continues as new.
  const handle = client.workflow.getHandle(workflowId, undefined, { firstExecutionRunId: runId });
  const operator = operatorOf(workflowId);
  const watch = (options?: WatchOptions) => watchRun(client, { workflowId, runId }, options);

  const rejectFor = (error: unknown): never => {
    throw ofOperator(error, operator);
  };
  const speaker = new Speaker(client, { workflowId, runId }, UPDATE_TIMEOUT_MS);
  const update = async (name: UpdateName, request?: DocumentSelection): Promise<number> =>
    (await speaker.update<ControlResult>(name, request).catch(rejectFor)).documents;

  const ask = (): Promise<Progress> =>
    explained(client, () => runProgressNow(client, workflowId, runId, QUERY_TIMEOUT_MS));

  async function* changes(options?: WatchOptions): AsyncGenerator<Progress, void, undefined> {
    let last = '';
    for await (const { progress } of watch(options)) {
      const text = JSON.stringify(progress);
      if (progress !== null && text !== last) yield progress;
      last = text;
    }
  }

  const result = async ({ patienceMs = DEFAULT_PATIENCE_MS }: Pick<WatchOptions, 'patienceMs'> = {}) => {
    const patience = new Patience(client, patienceMs);
    for (;;) {
      try {
        return (await handle.result()) as RepublishResult;
      } catch (error) {
        if (!isUnreachable(error)) throw ofOperator(asRepublishFailed(client, error), operator);
        patience.spend(error);
        await pause(1_000);
      }
      // The wait for a result says only in the end that it got one: whether Temporal is back, a short
      // question tells.
      await describeChain(client, workflowId, runId).then(
        () => patience.answered(),
        () => undefined,
      );
    }
  };

  return {
    workflowId,
    runId,
    attached,
    differs,
    currentRunId: () => explained(client, async () => (await describeChain(client, workflowId, runId)).runId),
    progress: (options) => runProgress(ask, () => changes(options)),
    status: () => explained(client, () => runStatus(client, workflowId, runId)),
    watch,
    result,
    pause: async (request) => void (await update('pause', request)),
    resume: async (request) => void (await update('resume', request)),
    retry: (selection) => update('retry', selection),
    skip: (selection) => update('skip', selection),
    obstacle: () => explained(client, async () => (await runObstacle(client, workflowId, runId)) ?? null),
    cancel: async (request) => {
      const { takenBy, obstacle } = await speaker.cancel(request).catch(rejectFor);
      return { takenBy, obstacle };
    },
  };
}
