import type { Command } from 'commander';
import type { DocumentFailure } from '../../../contract/failures';
import type { RepublishResult } from '../../../contract/input';
import type { RepublishFailed } from '../../errors';
import type { RepublishRun } from '../../republish';
import { exitCodeFor } from '../exit-codes';
import { print, printJson, say, table } from '../output';

interface StartOptions {
  documentType?: string[];
  machine?: string[];
  expectedPubkey?: string;
  reason?: string;
  force?: true;
  hold?: true;
  wait: boolean;
  json?: true;
}

export function registerStart(program: Command): void {
  program
    .command('start')
    .summary("republish an operator's documents and wait for the end")
    .description(
      "Republishes an operator's documents under the operator's current key and waits for the end.\nWhile a run of the operator goes on, it attaches to that one.",
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .option('--document-type <type...>', 'only these document types')
    .option('--machine <id...>', 'only these machines')
    .option('--expected-pubkey <key>', 'end before signing unless this is the current key (hex or npub)')
    .option('--reason <text>', 'why, for the audit')
    .option('--force', 'sign anew also what is published and unchanged')
    .option('--hold', 'when documents fail, wait until somebody retries or skips them')
    .option('--no-wait', 'start and return')
    .option('--json', 'the result map as JSON on stdout, messages on stderr')
    .addHelpText('before', 'Example: republish start 8f3c2b --json\n')
    .action(start);
}

async function start(operator: string, options: StartOptions): Promise<void> {
  const { connect, startRepublish } = await import('../../index.js');
  const expectedPubkey = await expectedKey(options.expectedPubkey);
  const { client, close } = await connect();
  try {
    const run = await startRepublish(client, operator, {
      ...(options.documentType ? { documentTypes: options.documentType } : {}),
      ...(options.machine ? { machineIds: options.machine } : {}),
      ...(expectedPubkey ? { expectedPubkey } : {}),
      ...(options.reason ? { reason: options.reason } : {}),
      ...(options.force ? { force: true } : {}),
      ...(options.hold ? { onFailure: 'hold' } : {}),
    });
    say(
      run.attached
        ? `attached to the run of ${operator} that goes on already (${run.runId}); it keeps the input it was started with`
        : `started ${run.workflowId} (run ${run.runId})`,
    );
    if (!options.wait) {
      if (options.json) printJson({ workflowId: run.workflowId, runId: run.runId, attached: run.attached });
      return;
    }
    await waitForEnd(run, operator, options.json === true);
  } finally {
    await close();
  }
}

async function waitForEnd(run: RepublishRun, operator: string, json: boolean): Promise<void> {
  const { RepublishFailed } = await import('../../index.js');
  const detach = (): void => {
    say(`\ndetached; the run goes on. Come back with: republish status ${operator}`);
    process.exit(130);
  };
  process.once('SIGINT', detach);
  const stopSaying = sayProgress(run);
  try {
    const events = await run.result();
    stopSaying();
    show(events, json);
    await sayOutcome(run);
  } catch (error) {
    stopSaying();
    if (!(error instanceof RepublishFailed)) throw error;
    if (error.type === 'RepublishIncomplete') show(error.published, json);
    sayFailure(error);
    process.exitCode = exitCodeFor(error.type);
  } finally {
    stopSaying();
    process.removeListener('SIGINT', detach);
  }
}

/** A line whenever the counts have changed, at most one a second. */
function sayProgress(run: RepublishRun): () => void {
  let last = '';
  let stopped = false;
  const startedAtMs = Date.now();
  let warned = false;
  const look = async (): Promise<void> => {
    const progress = await run.progress().catch(() => undefined);
    if (stopped) return;
    if (progress === undefined && !warned && last === '' && Date.now() - startedAtMs > 8_000) {
      warned = true;
      say(
        'no worker answers yet; it waits for one. Is `republish worker` running, with the same REPUBLISH_TASK_QUEUE and Temporal namespace?',
      );
    }
    if (progress === undefined || progress.phase === 'done') return;
    const { phase, planned, published, unchanged, superseded, skipped, failed } = progress;
    const line = `${phase}: ${published + unchanged + superseded + failed} of ${planned} documents (${published} published, ${unchanged} unchanged, ${skipped} skipped, ${failed} failed)`;
    if (line !== last) say(line);
    last = line;
  };
  const timer = setInterval(() => void look(), 1_000);
  return () => {
    stopped = true;
    clearInterval(timer);
  };
}

function show(events: RepublishResult, json: boolean): void {
  if (json) return printJson(events);
  const rows = Object.entries(events).flatMap(([type, ids]) =>
    ids.length === 0 ? [[type, '-']] : ids.map((id) => [type, id]),
  );
  print(table(['document type', 'event id'], rows));
}

async function sayOutcome(run: RepublishRun): Promise<void> {
  // Needs a worker to answer; the result is there without.
  const progress = await run.progress().catch(() => undefined);
  if (progress === undefined) return;
  const { planned, published, unchanged, superseded, skipped } = progress;
  if (planned + skipped === 0) say('warning: the operator has no machines; is "queries.machines" right?');
  if (skipped > 0) {
    say(
      `warning: ${skipped} documents have no state in the database and were skipped; see: republish audit ${run.runId}`,
    );
  }
  say(`done: ${published} published, ${unchanged} unchanged, ${superseded} superseded, ${skipped} skipped`);
}

function sayFailure({ type, message, remedy, failures, failed }: RepublishFailed): void {
  if (type !== 'RepublishIncomplete') {
    return say(`error: ${type}: ${message}${message.includes(remedy) ? '' : `\nremedy: ${remedy}`}`);
  }
  say(`error: ${failed} document${failed === 1 ? '' : 's'} could not be republished:`);
  for (const failure of failures) say(`  ${lineOf(failure)}`);
  if (failed > failures.length) say(`  and ${failed - failures.length} more; see: republish audit`);
  say(`remedy: ${remedy}`);
}

function lineOf({ documentType, machineId, type, message }: DocumentFailure): string {
  return `${documentType} of machine ${machineId}: ${type}: ${message}`;
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
