import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import type { Obstacle } from '../contract/obstacle';
import { describeChain, newestChain } from './chain';
import { AnotherRunGoesOn, RunNotFound, TemporalUnavailable } from './errors';
import { explained } from './temporal-errors';
import { DEFAULT_PATIENCE_MS, Patience, pause } from './watch';

export interface BeginOptions {
  /**
   * While a run of another request goes on: `wait` for its end, then start one's own (default); `refuse`; or
   * `attach`, to follow that one knowingly: its result may be less than what is asked for here.
   */
  otherRequest?: 'wait' | 'refuse' | 'attach' | undefined;
  /** Told what is waited for, when the wait begins and whenever that changes. */
  onWaiting?: ((other: OtherRun) => void) | undefined;
  /** Ends the wait: the call rejects with the signal's reason, and nothing is started. */
  signal?: AbortSignal | undefined;
  /** How long Temporal may be away meanwhile, in milliseconds. Default: 120000. */
  patienceMs?: number | undefined;
}

/** A run of another request, for whose end one's own waits. */
export interface OtherRun {
  workflowId: string;
  runId: string;
  /** ISO 8601. */
  startedAt: string;
  /** In what it was asked something else, as it was asked: such as `machines m1`, `no expected key`. */
  differs: string[];
  /** Of its progress, or `paused`; null while no worker answers. */
  phase: string | null;
  /** Why it does not move, where nobody works on it or nobody can. */
  obstacle: Obstacle | null;
  /** All of that as a sentence. */
  message: string;
}

interface Look extends Pick<OtherRun, 'phase' | 'obstacle'> {
  closedAt: string | null;
}

/** What a workflow id can be begun as, or found as. */
export interface Beginning<Run> {
  workflowId: string;
  /** What goes on, in messages: `the run` or `the fleet`. */
  what: string;
  start(): Promise<Run>;
  /** The one that goes on, to be followed. */
  attach(runId: string, differs: string[]): Run;
  /** In what the one that goes on was asked something else. */
  differences(other: WorkflowExecutionDescription, runId: string): Promise<string[]>;
  /** How it stands. @throws TemporalUnavailable */
  look(runId: string): Promise<Look>;
  /** What to do where it is refused; absent: the catalogue's. */
  remedy?: string;
}

/**
 * Starts a run, or attaches to one of the same request that goes on: the one way in, so that nobody is given
 * the result of another request for that of one's own.
 *
 * @throws AnotherRunGoesOn; the reason of the signal
 */
export async function begin<Run>(
  client: Client,
  beginning: Beginning<Run>,
  { otherRequest = 'wait', onWaiting, signal, patienceMs = DEFAULT_PATIENCE_MS }: BeginOptions,
): Promise<Run> {
  for (;;) {
    signal?.throwIfAborted();
    const other = await explained(client, () => startOrFind(client, beginning));
    if (other === undefined) {
      await pause(AGAIN_MS, signal);
      continue;
    }
    if ('run' in other) return other.run;
    const { runId, startedAt, differs } = other;
    if (differs.length === 0 || otherRequest === 'attach') return beginning.attach(runId, differs);
    const name = `${beginning.what} of another request (${differs.join('; ')}), begun at ${startedAt}`;
    if (otherRequest === 'refuse')
      throw new AnotherRunGoesOn(`${name} goes on (run ${runId}); nothing was started`, {
        remedy: beginning.remedy,
      });
    const told = ({ phase, obstacle }: Look): void => {
      const doing =
        obstacle === null
          ? `is ${phase ?? 'without a worker that answers'}`
          : `does not move: ${obstacle.type}: ${obstacle.message}`;
      onWaiting?.({
        workflowId: beginning.workflowId,
        ...{ runId, startedAt, differs, phase, obstacle },
        message: `waits for the end of ${name} (run ${runId}), which ${doing}`,
      });
    };
    const patience = new Patience(client, patienceMs);
    await untilEnded(() => beginning.look(runId), { told, patience, signal });
  }
}

/** Between the end of a run and the next start, where the two have met. */
const AGAIN_MS = 100;

type Found<Run> = { run: Run } | { runId: string; startedAt: string; differs: string[] };

/** @returns undefined where the one that went on has ended meanwhile */
async function startOrFind<Run>(client: Client, beginning: Beginning<Run>): Promise<Found<Run> | undefined> {
  const { workflowId } = beginning;
  try {
    return { run: await beginning.start() };
  } catch (error) {
    // The server's own USE_EXISTING would attach to whatever goes on.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const runId = await newestChain(client, workflowId);
    const found = await describeChain(client, workflowId, runId);
    if (found.closeTime !== undefined) return undefined;
    const differs = await beginning.differences(found, runId);
    return { runId, startedAt: found.startTime.toISOString(), differs };
  }
}

const LOOK_EVERY_MS = 1_000;

async function untilEnded(
  look: () => Promise<Look>,
  { told, patience, signal }: { told(seen: Look): void; patience: Patience; signal: AbortSignal | undefined },
): Promise<void> {
  let last: string | undefined;
  for (;;) {
    try {
      const seen = await look();
      signal?.throwIfAborted();
      patience.answered();
      if (seen.closedAt !== null) return;
      // The message of an obstacle counts attempts.
      const now = `${seen.phase} ${seen.obstacle?.type}`;
      if (now !== last) told(seen);
      last = now;
    } catch (error) {
      // What Temporal has forgotten has ended.
      if (error instanceof RunNotFound) return;
      if (!(error instanceof TemporalUnavailable)) throw error;
      patience.spend(error);
    }
    await pause(LOOK_EVERY_MS, signal);
    signal?.throwIfAborted();
  }
}
