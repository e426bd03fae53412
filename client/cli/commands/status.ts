import type { Payload, PayloadConverter } from '@temporalio/common';
import type { Command } from 'commander';
import type { HeartbeatDetails } from '../../../contract/activities';
import type { RepublishRun } from '../../republish';
import { print, printJson, say, table } from '../output';

export function registerStatus(program: Command): void {
  program
    .command('status')
    .summary("show an operator's newest run")
    .description('Shows the newest run of an operator: whether it goes on, and how far it is.')
    .argument('<operator>', "the operator's user id")
    .option('--json', 'as JSON on stdout')
    .addHelpText('before', 'Example: republish status 8f3c2b\n')
    .action(status);
}

async function status(operator: string, { json }: { json?: true }): Promise<void> {
  const { connect, findRepublish } = await import('../../index.js');
  const { defaultPayloadConverter } = await import('@temporalio/common');
  const { client, close } = await connect();
  try {
    const run = await findRepublish(client, operator);
    const description = await client.workflow.getHandle(run.workflowId, run.runId).describe();
    const progress = await inTime(run.progress(), 3_000);
    const isClosed = description.closeTime !== undefined;
    const failure = isClosed ? await failureOf(run) : undefined;
    const facts = {
      workflowId: run.workflowId,
      runId: run.runId,
      status: description.status.name,
      startedAt: description.startTime.toISOString(),
      closedAt: description.closeTime?.toISOString() ?? null,
      taskQueue: description.taskQueue,
      progress: progress ?? null,
      failure: failure ?? null,
      approvals: approvalPages(description.raw.pendingActivities ?? [], defaultPayloadConverter),
      retrying: (description.raw.pendingActivities ?? [])
        .filter(({ lastFailure }) => lastFailure != null)
        .map(({ activityType, attempt, lastFailure }) => ({
          activity: activityType?.name ?? '',
          attempt: attempt ?? 0,
          type: lastFailure?.applicationFailureInfo?.type ?? '',
          message: lastFailure?.message ?? '',
        })),
    };
    if (json) return printJson(facts);
    print(
      `${facts.workflowId}\nrun ${facts.runId}\n${facts.status}, started ${facts.startedAt}${facts.closedAt ? `, ended ${facts.closedAt}` : ''}`,
    );
    if (progress === undefined) say(`no worker answers on task queue ${facts.taskQueue}: is one running?`);
    else {
      print(`\n${isClosed ? 'ended' : progress.phase}${progress.cancelling ? ' (cancelled)' : ''}`);
      const rows = Object.entries({ ...progress.documentTypes, total: progress }).map(([type, counts]) =>
        [
          type,
          counts.planned,
          counts.published,
          counts.unchanged,
          counts.superseded,
          counts.skipped,
          counts.failed,
        ].map(String),
      );
      print(
        table(
          ['document type', 'planned', 'published', 'unchanged', 'superseded', 'skipped', 'failed'],
          rows,
        ),
      );
    }
    for (const url of facts.approvals) print(`the bunker asks for approval; open ${url}`);
    for (const { activity, attempt, type, message } of facts.retrying)
      print(`retrying ${activity}, attempt ${attempt}: ${type}: ${message}`);
    if (failure) print(`\nfailure: ${failure.type}: ${failure.message}\nsee: republish audit ${run.runId}`);
  } finally {
    await close();
  }
}

/** Pages on which the operator has to approve, from the heartbeats of the activities that wait for it. */
function approvalPages(
  pending: { heartbeatDetails?: { payloads?: Payload[] | null } | null }[],
  converter: PayloadConverter,
): string[] {
  const pages = pending.flatMap(({ heartbeatDetails }) => {
    const payload = heartbeatDetails?.payloads?.[0];
    const details = payload ? converter.fromPayload<HeartbeatDetails | undefined>(payload) : undefined;
    return details?.approvalUrl ?? [];
  });
  return [...new Set(pages)];
}

/** A query waits for a worker; where there is none, the rest of the status is worth more than the wait. */
export async function inTime<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), timeoutMs)));
  const result = await Promise.race([promise.catch(() => undefined), late]);
  clearTimeout(timer);
  return result;
}

async function failureOf(run: RepublishRun): Promise<{ type: string; message: string } | undefined> {
  const { RepublishFailed } = await import('../../index.js');
  try {
    await run.result();
    return undefined;
  } catch (error) {
    if (error instanceof RepublishFailed) return { type: error.type, message: error.message };
    throw error;
  }
}
