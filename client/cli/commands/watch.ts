import type { Command } from 'commander';
import { exitCodeFor } from '../exit-codes';
import { patienceOption } from '../options';
import { print, printJsonLine, say } from '../output';
import { paragraph } from '../terminal/table';

interface WatchOptions {
  patience: number;
  json?: true;
}

export function registerWatch(program: Command): void {
  program
    .command('watch')
    .summary("follow an operator's newest run until it has ended")
    .description(
      'Follows the newest run of an operator until it has ended: in place on a terminal, else in lines. Ctrl-C detaches; the run continues. On a data folder without `republish up` it ends the servers too: the run rests until the next command.\nExits as `republish start` would.',
    )
    .argument('<operator>', "the operator's user id (accounts.id in LNbits)")
    .addOption(patienceOption())
    .option(
      '--json',
      'JSON lines on stdout: the status (as of `republish status --json`) whenever it changes, with the result in the last one',
    )
    .addHelpText('before', 'Example: republish watch 8f3c2b\n')
    .action(watch);
}

async function watch(operator: string, { patience, json }: WatchOptions): Promise<void> {
  const { connect, findRepublish, RepublishFailed } = await import('../../index.js');
  const { follow } = await import('../run-view/follow.js');
  const { failureLines, headLines, outcomeLines } = await import('../run-view/outcome.js');
  const { client, close } = await connect();
  const patienceMs = patience * 1_000;
  try {
    const run = await findRepublish(client, operator);
    const last = await follow(run, {
      operator,
      stream: process.stdout,
      patienceMs,
      // The last status is printed with the result.
      ...(json ? { onStatus: (status) => status.closedAt ?? printJsonLine(status) } : {}),
    });
    if (last === undefined) return;
    try {
      const events = await run.result({ patienceMs });
      if (json) printJsonLine({ ...last, failure: null, events });
      else for (const line of outcomeLines(last.progress, run.runId)) print(paragraph(line));
    } catch (error) {
      if (!(error instanceof RepublishFailed)) throw error;
      const { type, message, remedy, published, failures, failed } = error;
      if (json)
        printJsonLine({ ...last, failure: { type, message, remedy, failures, failed }, events: published });
      else
        for (const line of failureLines(error, { runId: run.runId, operator, progress: last.progress }))
          say(line);
      process.exitCode = exitCodeFor(type);
    }
    if (!json) for (const line of headLines(last.progress)) print(line);
  } finally {
    await close();
  }
}
