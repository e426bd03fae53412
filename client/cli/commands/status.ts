import type { Command } from 'commander';
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
  const { client, close } = await connect();
  try {
    const run = await findRepublish(client, operator);
    const description = await client.workflow.getHandle(run.workflowId, run.runId).describe();
    const progress = await run.progress().catch(() => undefined);
    const facts = {
      workflowId: run.workflowId,
      runId: run.runId,
      status: description.status.name,
      startedAt: description.startTime.toISOString(),
      closedAt: description.closeTime?.toISOString() ?? null,
      progress: progress ?? null,
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
    if (progress === undefined)
      say('no worker answers: progress is not known (is one running on the task queue?)');
    else {
      print(`\n${progress.phase}${progress.cancelling ? ' (cancelling)' : ''}`);
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
    for (const { activity, attempt, type, message } of facts.retrying)
      print(`retrying ${activity}, attempt ${attempt}: ${type}: ${message}`);
  } finally {
    await close();
  }
}
