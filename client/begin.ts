import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  type WorkflowExecutionDescription,
} from '@temporalio/client';
import type { Subject } from '../contract/failures';
import type { Obstacle } from '../contract/obstacle';
import { describeChain, newestChain } from './chain';
import type { ChainStatus } from './chain-status';
import { AnotherRunGoesOn, RunNotFound, TemporalUnavailable } from './errors';
import type { Handle } from './handle';
import { Outage, pause } from './outage';
import { explained } from './temporal-errors';

/** What to do while a run (or fleet) of another request is running. */
export interface BeginOptions {
  /**
   * `wait` (default): wait for the end of the other run, then start this one. `refuse`: reject with
   * AnotherRunGoesOn. `attach`: follow the other run; its result may contain fewer documents than this
   * request asks for. A run of the same request is always attached to.
   */
  otherRequest?: 'wait' | 'refuse' | 'attach' | undefined;
  /** Called when the wait for another run begins, and when its phase or obstacle changes. Default: none. */
  onWaiting?: ((other: OtherRun) => void) | undefined;
  /** Ends the wait: the call rejects with the reason of the signal, and nothing is started. Default: none. */
  signal?: AbortSignal | undefined;
  /** How long Temporal may be away during the wait, in milliseconds. Default: 120000. */
  patienceMs?: number | undefined;
}

/** A run (or fleet) of another request, while a call waits for its end. */
export interface OtherRun {
  workflowId: string;
  /** Temporal's `firstExecutionRunId`. */
  runId: string;
  /** Start of its newest execution, ISO 8601. */
  startedAt: string;
  /** How its request differs from that of the call, such as `machines m1` or `no expected key`. */
  differs: string[];
  /** The phase of its progress, or `paused`; null while no worker answers. */
  phase: string | null;
  /** Why no worker can make progress with it; null: no such reason is known. */
  obstacle: Obstacle | null;
  /** The same as a sentence. */
  message: string;
}

/** The part of a progress that the wait for another run shows. */
interface Phased {
  phase: string;
  paused?: unknown;
}

/** What is begun under a workflow id: a run or a fleet. */
export interface Beginning<Begun> {
  workflowId: string;
  /** In messages. */
  subject: Subject;
  /** Starts it. @returns its run id */
  start(): Promise<string>;
  handle(name: { runId: string; attached: boolean; differs: string[] }): Begun;
  /** How the request of the one that is running differs from ours. */
  differences(other: WorkflowExecutionDescription, runId: string): Promise<string[]>;
  /** What to do when `otherRequest: 'refuse'` refuses; absent: the catalogue's remedy. */
  remedy?: string;
}

/**
 * Starts a run or a fleet, or attaches to one of the same request. Every entry of the library uses this
 * function, so that no caller takes the result of another request for its own.
 *
 * @throws AnotherRunGoesOn; the reason of the signal; TemporalUnavailable after `patienceMs`
 */
export async function begin<
  Progress extends Phased,
  Begun extends Handle<Progress, ChainStatus<Progress>, unknown>,
>(
  client: Client,
  beginning: Beginning<Begun>,
  { otherRequest = 'wait', onWaiting, signal, patienceMs }: BeginOptions,
): Promise<Begun> {
  for (;;) {
    signal?.throwIfAborted();
    const found = await explained(client, () => startOrFind(client, beginning), beginning.subject);
    if (found === undefined) {
      await pause(AGAIN_MS, signal);
      continue;
    }
    if (found.startedAt === undefined) return found.begun;
    const { begun: other, startedAt } = found;
    const { workflowId, runId, differs } = other;
    if (differs.length === 0 || otherRequest === 'attach') return other;
    const name = `a ${beginning.subject} of another request`;
    const facts = `its request: ${differs.join('; ')}; begun at ${startedAt}; run ${runId}`;
    if (otherRequest === 'refuse')
      throw new AnotherRunGoesOn(`${name} is running (${facts}); nothing was started`, {
        remedy: beginning.remedy,
      });
    const onChange = ({ phase, obstacle }: Pick<OtherRun, 'phase' | 'obstacle'>): void => {
      const doing =
        obstacle === null
          ? `is ${phase ?? 'without a worker that answers'}`
          : `does not move: ${obstacle.type}: ${obstacle.message}`;
      const message = `waits for the end of ${name} (${facts}), which ${doing}`;
      onWaiting?.({ workflowId, runId, startedAt, differs, phase, obstacle, message });
    };
    await untilEnded(other, {
      onChange,
      outage: new Outage(client, { patienceMs, subject: beginning.subject }),
      signal,
    });
  }
}

/** The one that was running ended between our start and our look: then start again after this time. */
const AGAIN_MS = 100;

/** `startedAt` (ISO 8601) is of one that was running already; absent: this call started it. */
type Found<Begun> = { begun: Begun; startedAt?: string };

/** @returns undefined where the one that was running has ended meanwhile */
async function startOrFind<Begun>(
  client: Client,
  beginning: Beginning<Begun>,
): Promise<Found<Begun> | undefined> {
  const { workflowId } = beginning;
  try {
    const runId = await beginning.start();
    return { begun: beginning.handle({ runId, attached: false, differs: [] }) };
  } catch (error) {
    // The server's own USE_EXISTING would attach to a run of any request.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const runId = await newestChain(client, workflowId);
    const found = await describeChain(client, workflowId, runId);
    if (found.closeTime !== undefined) return undefined;
    const differs = await beginning.differences(found, runId);
    return {
      begun: beginning.handle({ runId, attached: true, differs }),
      startedAt: found.startTime.toISOString(),
    };
  }
}

const LOOK_EVERY_MS = 1_000;

interface Wait {
  onChange(seen: Pick<OtherRun, 'phase' | 'obstacle'>): void;
  outage: Outage;
  signal: AbortSignal | undefined;
}

async function untilEnded<Progress extends Phased>(
  other: Pick<Handle<Progress, ChainStatus<Progress>, unknown>, 'status'>,
  { onChange, outage, signal }: Wait,
): Promise<void> {
  let last: string | undefined;
  for (;;) {
    try {
      const { closedAt, progress, obstacle } = await other.status();
      signal?.throwIfAborted();
      outage.over();
      if (closedAt !== null) return;
      const phase = progress?.paused ? 'paused' : (progress?.phase ?? null);
      // Without the message of the obstacle, which counts attempts.
      const now = `${phase} ${obstacle?.type}`;
      if (now !== last) onChange({ phase, obstacle });
      last = now;
    } catch (error) {
      // A run that Temporal has forgotten has ended.
      if (error instanceof RunNotFound) return;
      if (!(error instanceof TemporalUnavailable)) throw error;
      outage.note(error);
    }
    await pause(LOOK_EVERY_MS, signal);
    signal?.throwIfAborted();
  }
}
