import type { Client } from '@temporalio/client';
import { asksTheSame, type RepublishInput, type RepublishResult } from '../contract/input';
import { firstValue } from '../contract/payloads';
import { connect } from './connect';
import type { RepublishRun } from './run';
import { type StartOptions, startRepublish } from './start';

export interface RepublishOptions extends StartOptions {
  /** A client of one's own. Default: one that connects as TEMPORAL_ADDRESS and its companions say. */
  client?: Client;
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
  input: StartOptions,
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
  { taskQueue: _, ...ours }: RepublishInput & StartOptions,
): Promise<boolean> {
  const { history } = await client.workflowService.getWorkflowExecutionHistory({
    namespace: client.options.namespace,
    execution: { workflowId, runId },
    maximumPageSize: 1,
  });
  const { input } = history?.events?.[0]?.workflowExecutionStartedEventAttributes ?? {};
  const theirs = await firstValue<RepublishInput>(client, input?.payloads);
  return theirs !== undefined && asksTheSame(theirs, ours);
}
