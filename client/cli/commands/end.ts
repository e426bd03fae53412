import type { Command } from 'commander';
import type { ControlRequest } from '../../../contract/control';
import { problemOfControl } from '../../../rules/control';
import type { Obstacle } from '../../../contract/obstacle';
import type { Database } from '../../../database/connection';
import type { OpenClient } from '../../connect';
import type { RepublishRun } from '../../run';
import { UsageError } from '../fail';
import { printJson, say } from '../output';
import { commandLine } from '../command-lines';
import { controlRequest } from '../send-control';

export interface EndOptions {
  reason?: string;
  by?: string;
  yes?: true;
  json?: true;
}

export function registerEnd(program: Command): void {
  endOptions(
    program
      .command('end')
      .summary('end a run that nobody can cancel: terminate it, write its audit from the ledger')
      .description(
        'Ends a run that can neither continue nor be cancelled: its workflow task fails, or no worker will ever poll its queue. It is terminated in Temporal, then its audit is written from the ledger and shown. Needs no worker; needs the database, with the rights of a worker. May be repeated: what is missing is done, also for a run that was terminated elsewhere.\nCancel a run instead while a worker can continue it: then signed documents are finished.',
      )
      .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
      .addHelpText('before', 'Example: republish end 8f3c2b --reason "the old queue is gone"\n'),
  ).action(end);
}

export function endOptions(registered: Command): Command {
  return registered
    .option('--reason <text>', 'why, for the audit')
    .option('--by <name>', 'who, for the audit (default: the user of this machine)')
    .option('--yes', 'end it even if a worker can continue or cancel it')
    .option('--json', 'as JSON on stdout: as `republish audit --json` would');
}

async function end(operator: string, options: EndOptions): Promise<void> {
  const { auditReport } = await import('../../../inspection/audit.js');
  const { requireItsLedger, writeAuditOfEnded } = await import('../../../ending/end-run.js');
  const { findRepublish } = await import('../../index.js');
  const { showAudit } = await import('./audit.js');
  const asked = validControlRequest(options);
  await withTemporalAndDatabase(async ({ client }, database) => {
    const run = await findRepublish(client, operator);
    const { workflowId, runId } = run;
    const status = await statusToEnd(run, options);
    const { obstacle, closedAt, reason } = status;
    await requireItsLedger(database, status);
    const hasEndedNow = await terminateNow({ client }, run, asked, obstacle);
    const ended = { runId, workflowId, operatorUserId: operator, reason, obstacle };
    const isWritten = await writeAuditOfEnded(database, ended, asked);
    await writeMissingAudits(database, { client }, run, operator, asked);
    if (hasEndedNow) say(`ended: run ${runId}; its audit is written`);
    else if (isWritten) say(`run ${runId} had ended (${closedAt}) without an audit, which is written now`);
    else say(`run ${runId} has ended already, and its audit is there: nothing was changed`);
    const { audits } = await auditReport(database, runId, 1);
    if (options.json) printJson(audits);
    else audits.forEach((row) => showAudit(row));
  });
}

/** Who asks and why, checked as the audit requires it. @throws UsageError */
export function validControlRequest(options: EndOptions): ControlRequest {
  const asked = controlRequest(options);
  const problem = problemOfControl('cancel', asked);
  if (problem !== undefined) throw new UsageError(problem);
  return asked;
}

/** The database first: without it no audit can be written, so nothing may be terminated. */
export async function withTemporalAndDatabase(
  work: (opened: OpenClient, database: Database) => Promise<void>,
): Promise<void> {
  const { withDatabase } = await import('../database.js');
  const { requireThatItCanBeWritten } = await import('../../../ending/end-run.js');
  const { connect } = await import('../../index.js');
  await withDatabase(async (database) => {
    await requireThatItCanBeWritten(database);
    const opened = await connect();
    try {
      await work(opened, database);
    } finally {
      await opened.close();
    }
  });
}

/** The status. @throws ControlRefused where a worker makes progress and `--yes` is missing */
async function statusToEnd(run: RepublishRun, { yes }: EndOptions) {
  const { ControlRefused } = await import('../../index.js');
  const status = await run.status();
  const { closedAt, obstacle, progress } = status;
  if (closedAt === null && obstacle === null && !yes)
    throw new ControlRefused(
      `a worker is at the run (${progress?.phase ?? 'running'}): if it is ended now, signed documents are not finished`,
      {
        remedy:
          'Cancel it: republish cancel <operator>. To end it all the same: republish end <operator> --yes.',
      },
    );
  return status;
}

export async function terminateNow(
  { client }: Pick<OpenClient, 'client'>,
  chain: { workflowId: string; runId: string },
  asked: ControlRequest,
  obstacle: Obstacle | null,
): Promise<boolean> {
  const { terminate } = await import('../../end.js');
  const { sentenceOf } = await import('../../../ending/end-run.js');
  return terminate(client, chain, sentenceOf(asked, obstacle));
}

/** Writes the audits of earlier runs of the operator that were terminated. */
async function writeMissingAudits(
  database: Database,
  { client }: Pick<OpenClient, 'client'>,
  { runId: newest }: RepublishRun,
  operator: string,
  asked: ControlRequest,
): Promise<void> {
  const { unauditedRuns } = await import('../../../database/audit.js');
  const { writeAuditOfEnded } = await import('../../../ending/end-run.js');
  const { describeChain } = await import('../../chain.js');
  const { RunNotFound } = await import('../../index.js');
  const { explained } = await import('../../temporal-errors.js');
  const unlessForgotten = (error: unknown): undefined => {
    if (!(error instanceof RunNotFound)) throw error;
  };
  for (const { runId, workflowId } of await unauditedRuns(database, operator)) {
    if (runId === newest) continue;
    const look = explained(client, () => describeChain(client, workflowId, runId));
    const seen = await look.catch(unlessForgotten);
    if (seen === undefined) {
      say(`run ${runId} has no audit, and Temporal does not know it any more: it is left as it is`);
    } else if (seen.closeTime !== undefined) {
      await writeAuditOfEnded(database, { runId, workflowId, operatorUserId: operator }, asked);
      say(
        `run ${runId} had ended without an audit, which is written now; see: ${commandLine('audit', runId)}`,
      );
    }
  }
}
