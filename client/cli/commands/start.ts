import type { Command } from 'commander';
import type { RepublishResult } from '../../../contract/input';
import type { RepublishRun } from '../../run';
import { exitCodeFor } from '../exit-codes';
import { forceOptions, patienceOption, resetCountsOption } from '../options';
import { print, printJson, say } from '../output';
import { commandLine, completeCommands } from '../command-lines';
import { beginOrStopWaiting, otherRequestOf } from '../other-request';

interface StartOptions {
  documentType?: string[];
  machine?: string[];
  expectedPubkey?: string;
  reason?: string;
  force?: true;
  resetCounts?: true;
  hold?: true;
  wait: boolean;
  attach?: true;
  patience: number;
  json?: true;
}

export function registerStart(program: Command): void {
  program
    .command('start')
    .summary("republish an operator's documents and wait for the end")
    .description(
      "Republishes an operator's documents under the operator's current key and waits for the end.\nWhile a run of the same request is running, it attaches to that one. While a run of another request is running, it waits and starts after that one: --no-wait refuses then (exit code 1), --attach follows the other one.\nCtrl-C detaches; the run continues. On a data folder without `republish up` it ends the servers too: the run rests until the next command.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--document-type <type...>', 'only these document types')
    .option('--machine <id...>', 'only these machines')
    .option('--expected-pubkey <key>', 'end before signing unless this is the current key (hex or npub)')
    .option('--reason <text>', 'why, for the audit')
    .option('--force', 'also sign documents that are published and unchanged')
    .addOption(resetCountsOption())
    .option('--hold', 'when documents fail, wait until somebody retries or skips them')
    .option('--no-wait', 'start and return; refused while a run of another request is running')
    .option('--attach', 'follow the running run, also if it has another request')
    .addOption(patienceOption())
    .option('--json', 'the result map as JSON on stdout, messages on stderr')
    .addHelpText('before', 'Example: republish start 8f3c2b --json\n')
    .action(start);
}

async function start(operator: string, options: StartOptions): Promise<void> {
  const { connect, startRepublish } = await import('../../index.js');
  const expectedPubkey = await expectedKey(options.expectedPubkey);
  const { client, close } = await connect();
  try {
    const request = {
      ...(options.documentType ? { documentTypes: options.documentType } : {}),
      ...(options.machine ? { machineIds: options.machine } : {}),
      ...(expectedPubkey ? { expectedPubkey } : {}),
      ...(options.reason ? { reason: options.reason } : {}),
      ...forceOptions(options),
      ...(options.hold ? { onFailure: 'hold' as const } : {}),
      otherRequest: otherRequestOf(options),
      patienceMs: options.patience * 1_000,
    };
    const run = await beginOrStopWaiting(
      (waiting) => startRepublish(client, operator, { ...request, ...waiting }),
      `To see it: ${commandLine('watch', operator)}; to end it: ${commandLine('cancel', operator)}`,
    );
    if (run === undefined) return;
    say(howItBegan(run, operator));
    if (!options.wait) {
      await sayObstacle(run, operator);
      const { workflowId, runId, attached, differs } = run;
      if (options.json) printJson({ workflowId, runId, attached, differs });
      return;
    }
    await waitForEnd(run, operator, options);
  } finally {
    await close();
  }
}

function howItBegan({ workflowId, runId, attached, differs }: RepublishRun, operator: string): string {
  if (!attached) return `started ${workflowId} (run ${runId})`;
  return differs.length === 0
    ? `attached to the run of ${operator} with the same request, which is running (run ${runId})`
    : `attached to the run of ${operator} with another request, which is running (${differs.join('; ')}; run ${runId}): what follows is its result`;
}

/** With --no-wait a person would not see that no worker is there. */
async function sayObstacle(run: RepublishRun, operator: string): Promise<void> {
  const { remedyFor } = await import('../../../contract/failures.js');
  const obstacle = await run.obstacle();
  if (obstacle === null) return;
  const { type, message } = obstacle;
  say(`warning: ${type}: ${message}\nremedy: ${completeCommands(remedyFor(type), operator)}`);
}

async function waitForEnd(run: RepublishRun, operator: string, options: StartOptions): Promise<void> {
  const { RepublishFailed } = await import('../../index.js');
  const { follow } = await import('../run-view/follow.js');
  const { failureLines, headLines, outcomeLines } = await import('../run-view/outcome.js');
  const json = options.json === true;
  const patienceMs = options.patience * 1_000;
  const last = await follow(run, { operator, stream: process.stderr, patienceMs });
  if (last === undefined) return;
  try {
    show(await run.result({ patienceMs }), json);
    for (const line of outcomeLines(last.progress, run.runId)) say(line);
  } catch (error) {
    if (!(error instanceof RepublishFailed)) throw error;
    if (error.type === 'RepublishIncomplete') show(error.published, json);
    for (const line of failureLines(error, { runId: run.runId, operator, progress: last.progress }))
      say(line);
    process.exitCode = exitCodeFor(error.type);
  }
  for (const line of headLines(last.progress)) say(line);
}

function show(events: RepublishResult, json: boolean): void {
  if (json) return printJson(events);
  // A table of ids would be wider than most terminals.
  print(
    Object.entries(events)
      .flatMap(([type, ids]) => [`\nevents of ${type}:`, ...(ids.length === 0 ? ['-'] : ids)])
      .join('\n'),
  );
}

async function expectedKey(text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const { parsePublicKey } = await import('../../../nostr/keys.js');
  const { UsageError } = await import('../fail.js');
  const key = parsePublicKey(text);
  if (key === undefined)
    throw new UsageError('--expected-pubkey is neither 64 hex characters nor an npub of a valid key');
  return key;
}
