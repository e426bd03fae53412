import {
  type Client,
  WorkflowExecutionAlreadyStartedError,
  WorkflowFailedError,
  type WorkflowHandle,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowIdReusePolicy,
} from '@temporalio/client';
import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  defaultPayloadConverter,
  TerminatedFailure,
} from '@temporalio/common';
import { loadConfiguration } from '../configuration/load';
import type { ControlRequest, ControlResult, DocumentSelection, UpdateName } from '../contract/control';
import { type DocumentFailure, isFailureType } from '../contract/failures';
import { asksTheSame, type RepublishInput, type RepublishResult } from '../contract/input';
import { fairnessKeyOf, PROGRESS_QUERY, WORKFLOW_TYPE, workflowIdFor } from '../contract/names';
import type { Progress } from '../contract/progress';
import { connect } from './connect';
import { ControlRefused, RepublishFailed } from './errors';

export interface RepublishOptions extends Omit<RepublishInput, 'operatorUserId'> {
  /** Task queue the workers poll. Default: REPUBLISH_TASK_QUEUE, else `republish-operator-configs`. */
  taskQueue?: string;
  /** A client of one's own. Default: one that connects as TEMPORAL_ADDRESS and its companions say. */
  client?: Client;
}

/** A run that was started, or found running. */
export interface RepublishRun {
  workflowId: string;
  runId: string;
  /** False when this call started the run; true when it found it, with the input it was started with. */
  attached: boolean;
  progress(): Promise<Progress>;
  /** Waits for the end. @throws RepublishFailed */
  result(): Promise<RepublishResult>;
  /** Begins no further document until `resume`; those in work are finished. @throws ControlRefused */
  pause(request?: ControlRequest): Promise<void>;
  /** @throws ControlRefused when the run is not paused */
  resume(request?: ControlRequest): Promise<void>;
  /** Tries failed documents again now. @returns how many @throws ControlRefused when none has failed */
  retry(selection?: DocumentSelection): Promise<number>;
  /** Gives documents up that are not published. @returns how many @throws ControlRefused */
  skip(selection?: DocumentSelection): Promise<number>;
  /** Cancels the run: what is in work is finished, the rest is left, the audit is written. @throws ControlRefused */
  cancel(request?: ControlRequest): Promise<void>;
}

/**
 * Republishes every configuration document of an operator under the operator's current key, and waits for it.
 *
 *     const events = await republishOperatorConfigs(operator.id);
 *
 * May be called any number of times: while a run of the same request goes on it attaches to that one, and what is in place
 * already is left alone.
 *
 * @returns event ids (64 hex characters) by document type
 * @throws RepublishFailed when documents could not be republished (type `RepublishIncomplete`; `published` says which
 *   stand) or the run could not begin; TemporalUnavailable when Temporal cannot be reached; ConfigurationError when
 *   a REPUBLISH_* variable is wrong
 */
export async function republishOperatorConfigs(
  operatorUserId: string,
  options: RepublishOptions = {},
): Promise<RepublishResult> {
  const { client, ...input } = options;
  if (client !== undefined) return runToEnd(client, operatorUserId, input);
  const opened = await connect();
  try {
    return await runToEnd(opened.client, operatorUserId, input);
  } finally {
    await opened.close();
  }
}

/**
 * Waits for a run of this very request. A run that goes on with another one (fewer machines, no expected key) is waited
 * for and followed by our own: its result would say less than was asked for, and look like success.
 */
async function runToEnd(
  client: Client,
  operatorUserId: string,
  input: Omit<RepublishOptions, 'client'>,
): Promise<RepublishResult> {
  for (;;) {
    const run = await startRepublish(client, operatorUserId, input);
    if (!run.attached || (await wasAskedTheSame(client, run, { operatorUserId, ...input })))
      return run.result();
    await run.result().catch(() => undefined);
  }
}

/** Whether a run was started with a request like ours; the reason does not matter. */
async function wasAskedTheSame(
  client: Client,
  { workflowId, runId }: RepublishRun,
  { taskQueue: _, ...ours }: RepublishInput & Pick<RepublishOptions, 'taskQueue'>,
): Promise<boolean> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const payload = history?.events?.[0]?.workflowExecutionStartedEventAttributes?.input?.payloads?.[0];
  if (payload == null) return false;
  const theirs = defaultPayloadConverter.fromPayload<RepublishInput>(payload);
  return asksTheSame(theirs, ours);
}

/** Starts a run for an operator, or attaches to the one that goes on, and does not wait for its end. */
export async function startRepublish(
  client: Client,
  operatorUserId: string,
  { taskQueue, ...input }: Omit<RepublishOptions, 'client'> = {},
): Promise<RepublishRun> {
  const workflowId = workflowIdFor(operatorUserId);
  const request: RepublishInput = { operatorUserId, ...input };
  try {
    const handle = await client.workflow.start(WORKFLOW_TYPE, {
      workflowId,
      taskQueue: taskQueue ?? loadConfiguration().taskQueue,
      args: [request],
      // Any earlier run may be followed by another: it does only what is missing.
      workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      staticSummary: `Republish the configuration documents of operator ${operatorUserId}`,
      staticDetails: staticDetails(request),
      priority: { fairnessKey: fairnessKeyOf(operatorUserId) },
      ...(input.reason ? { memo: { reason: input.reason } } : {}),
    });
    return runOf(client, workflowId, handle.firstExecutionRunId, false);
  } catch (error) {
    // The server's own USE_EXISTING would attach without saying so.
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    const { runId } = await client.workflow.getHandle(workflowId).describe();
    return runOf(client, workflowId, runId, true);
  }
}

/** What the Temporal UI shows of a run that does not change. */
function staticDetails({ documentTypes, machineIds, force, onFailure }: RepublishInput): string {
  return [
    'Puts the configuration documents of the machines back under the operator’s current key: sealed, signed, published, read back, audited.',
    `- document types: ${documentTypes?.join(', ') ?? 'all'}`,
    `- machines: ${machineIds?.slice(0, 20).join(', ') ?? 'all'}${(machineIds?.length ?? 0) > 20 ? ', …' : ''}`,
    `- unchanged documents: ${force ? 'signed anew' : 'left alone'}`,
    `- failed documents: ${onFailure === 'hold' ? 'wait for retry or skip' : 'reported at the end'}`,
  ].join('\n');
}

/** The newest run of an operator, whether it goes on or has ended. */
export async function findRepublish(client: Client, operatorUserId: string): Promise<RepublishRun> {
  const workflowId = workflowIdFor(operatorUserId);
  const { runId } = await client.workflow.getHandle(workflowId).describe();
  return runOf(client, workflowId, runId, true);
}

function runOf(client: Client, workflowId: string, runId: string, attached: boolean): RepublishRun {
  const handle: WorkflowHandle = client.workflow.getHandle(workflowId, runId);
  const update = async (name: UpdateName, request: DocumentSelection = {}): Promise<number> => {
    try {
      const { documents } = await handle.executeUpdate<ControlResult, [DocumentSelection]>(name, {
        args: [request],
      });
      return documents;
    } catch (error) {
      throw asControlRefused(name, error);
    }
  };
  return {
    pause: async (request) => void (await update('pause', request)),
    resume: async (request) => void (await update('resume', request)),
    retry: (selection) => update('retry', selection),
    skip: (selection) => update('skip', selection),
    cancel: async (request) => void (await update('cancel', request)),
    workflowId,
    runId,
    attached,
    progress: () => handle.query<Progress>(PROGRESS_QUERY),
    async result() {
      try {
        return (await handle.result()) as RepublishResult;
      } catch (error) {
        throw asRepublishFailed(error);
      }
    },
  };
}

/** A run that refuses says why; one that has ended is not there to be asked. */
export function asControlRefused(name: UpdateName, error: unknown): unknown {
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure)
    return new ControlRefused(`${name} was refused: ${error.cause.message}`);
  if (error instanceof WorkflowNotFoundError)
    return new ControlRefused(`${name} is not possible: the run has ended`);
  return error;
}

interface FailureDetails {
  published?: RepublishResult;
  failures?: DocumentFailure[];
  failed?: number;
}

export function asRepublishFailed(error: unknown): unknown {
  if (!(error instanceof WorkflowFailedError)) return error;
  let cause: unknown = error.cause;
  // An activity's failure stands behind the wrapper that says which activity it was.
  while (cause instanceof ActivityFailure && cause.cause !== undefined) cause = cause.cause;
  if (cause instanceof ApplicationFailure) {
    const { published, failures, failed } = ((cause.details ?? [])[0] ?? {}) as FailureDetails;
    return new RepublishFailed(
      isFailureType(cause.type) ? cause.type : 'Unexpected',
      cause.message,
      published,
      failures,
      failed,
    );
  }
  if (cause instanceof CancelledFailure) return new RepublishFailed('Cancelled', 'the run was cancelled');
  if (cause instanceof TerminatedFailure) return new RepublishFailed('Terminated', 'the run was terminated');
  return error;
}
